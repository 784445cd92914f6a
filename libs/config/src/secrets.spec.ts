import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { createFolderForThisTest } from '../../../test/support/folders.js';
import { readOrCreateSecret } from './secrets.js';

let dataDir: string;

beforeEach(() => {
  dataDir = join(createFolderForThisTest(), 'made', 'when needed');
});

test('a secret is made once: 32 random bytes in base64url, readable only by its owner', () => {
  const secret = readOrCreateSecret(dataDir, 'a-secret');
  expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  expect(statSync(join(dataDir, 'a-secret')).mode & 0o777).toBe(0o600);
  expect(readOrCreateSecret(dataDir, 'a-secret')).toBe(secret);
  expect(readOrCreateSecret(dataDir, 'another')).not.toBe(secret);
  expect(readdirSync(dataDir)).toEqual(['a-secret', 'another']);
});

test('one that an operator wrote is used as it is, without its line end', () => {
  readOrCreateSecret(dataDir, 'a-secret');
  writeFileSync(join(dataDir, 'a-secret'), 'chosen by hand\n');
  expect(readOrCreateSecret(dataDir, 'a-secret')).toBe('chosen by hand');
});

test('an empty file is refused: it is not a secret', () => {
  readOrCreateSecret(dataDir, 'a-secret');
  writeFileSync(join(dataDir, 'a-secret'), '\n');
  expect(() => readOrCreateSecret(dataDir, 'a-secret')).toThrow(`${join(dataDir, 'a-secret')} is empty`);
});

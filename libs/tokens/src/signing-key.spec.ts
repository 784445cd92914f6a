import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { loadConfig } from '#libs/config';
import { createFolderForThisTest } from '../../../test/support/folders.js';
import { createSigningKey } from './signing-key.js';

let dataDir: string;

beforeEach(() => {
  dataDir = createFolderForThisTest();
});

const createKey = () => createSigningKey(loadConfig({ DATA_DIR: dataDir }));

test('the generated secret passes its own check, and is the same the next time', () => {
  const key = createKey();
  expect(key.symmetricKeySize).toBe(43);
  expect(createKey().equals(key)).toBe(true);
});

test.each([
  ['short', 'hunter2'],
  ['one letter', 'x'.repeat(40)],
])('one in the file that is %s is refused, with its path but not its value', (_, secret) => {
  writeFileSync(join(dataDir, 'jwt-secret'), secret);
  expect(createKey).toThrow(`The secret in ${join(dataDir, 'jwt-secret')} must be`);
  expect(createKey).not.toThrow(secret);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { afterThisFile } from './after-this-file.js';

/** An empty folder, which is removed after this test file. */
export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-test-'));
  afterThisFile(() => remove(folder));
  return folder;
}

/** The same, removed after the test that asks for it. */
export function createFolderForThisTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-test-'));
  onTestFinished(() => remove(folder));
  return folder;
}

const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { createTestDatabase } from '../test-database.js';
import { startApi } from '../api-process.js';

// oxlint-disable-next-line vitest/expect-expect
test('hangs, with a service and a folder that only the keeper cleans up', { timeout: 600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-hanging-'));
  const database = await createTestDatabase();
  await startApi({ DATABASE_URL: database.url, DATA_DIR: join(folder, 'data') });
  writeFileSync(process.env.HANGING_FILE!, folder);
  await new Promise(() => setInterval(() => undefined, 1_000));
});

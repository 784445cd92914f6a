import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createFolderForThisTest } from '../support/folders.js';
import { startProcess } from '../support/foretell-process.js';
import { endProcessesIn, processesIn } from '../support/run-folder.js';

const CONFIG = 'test/support/hanging-run/vitest.config.ts';

test.each<[string, (pid: number) => void]>([
  ['Ctrl+C', (pid) => process.kill(-pid, 'SIGINT')],
  ['SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
  ['SIGKILL', (pid) => process.kill(pid, 'SIGKILL')],
])('tests ended by %s leave no process and no folder', async (_, end) => {
  const place = createFolderForThisTest();
  onTestFinished(() => endProcessesIn(place));
  const temporary = join(place, 'tmp');
  mkdirSync(temporary, { mode: 0o777 });
  const hanging = join(place, 'hanging');

  const vitest = startProcess(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--config', CONFIG],
    {
      detached: true,
      environment: { TMPDIR: temporary, HANGING_FILE: hanging },
    },
  );
  const { pid } = vitest.process;
  const hasEnded = () => vitest.process.exitCode !== null;
  await expect.poll(() => existsSync(hanging) || hasEnded(), { timeout: 60_000 }).toBe(true);
  expect(hasEnded(), vitest.output()).toBe(false);
  expect(readFileSync(hanging, 'utf8')).toContain(temporary);
  // vitest and its worker, the service, the keeper, PostgreSQL and its own processes.
  expect(processesIn(temporary).length).toBeGreaterThan(8);

  end(pid!);
  await vitest.ended;
  await expect.poll(() => processesIn(temporary), { timeout: 30_000 }).toEqual([]);
  // Vitest leaves an empty folder of its own.
  const ours = () => readdirSync(temporary).filter((name) => name.startsWith('foretell-'));
  await expect.poll(ours, { timeout: 5_000 }).toEqual([]);
});

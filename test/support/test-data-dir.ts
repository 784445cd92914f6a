import { afterAll, expect, onTestFinished, vi } from 'vitest';
import { createUser } from './client.js';
import { DataDir, type RunningProcess, type StartOptions } from './data-dir.js';

// A start takes a second or two of processor time, and these tests share the processors with whatever else runs.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** An unused folder. Whatever a test leaves running in it, even a failed one, is killed. */
export function createDataDir(): DataDir {
  return forThisTest(DataDir.create());
}

/** The same with an initialised and migrated database, which saves a test about a second. */
export async function createPreparedDataDir(): Promise<DataDir> {
  prepared ??= prepare();
  return forThisTest(await (await prepared).copy());
}

/** A service that runs in such a folder, and a user of it. */
export async function startPrepared(options?: StartOptions) {
  const dataDir = await createPreparedDataDir();
  const service = await dataDir.startService(options);
  return { dataDir, service, user: await createUser(service, dataDir) };
}

/** SIGTERM ends it gracefully, and nothing is left running. */
export async function expectToStop(dataDir: DataDir, service: RunningProcess, ending = {}): Promise<void> {
  expect(await service.signal('SIGTERM')).toMatchObject({ code: 0, ...ending });
  expect(await dataDir.processes()).toEqual([]);
}

/** One for each test file; nothing is started in it afterwards. */
let prepared: Promise<DataDir> | undefined;

async function prepare(): Promise<DataDir> {
  const dataDir = DataDir.create();
  const { code, stderr } = await dataDir.foretell(['migrate']);
  const left = await dataDir.processes();
  if (code === 0 && left.length === 0) return dataDir;
  await dataDir.dispose();
  throw new Error(
    `foretell migrate ended with ${code}: ${stderr}; left running: ${left.join(', ') || 'nothing'}`,
  );
}

afterAll(async () => (await prepared)?.dispose());

function forThisTest(dataDir: DataDir): DataDir {
  onTestFinished(() => dataDir.dispose());
  return dataDir;
}

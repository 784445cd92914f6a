import { join } from 'node:path';
import { beforeAll, onTestFinished, vi } from 'vitest';
import { afterThisFile } from './after-this-file.js';
import { CHECKOUT, DataDir, type RunningProcess, type Service } from './data-dir.js';
import { createModelDir, prepareDatabase, prepareUser } from './prepared-service.js';

export const WORKER = join(CHECKOUT, 'dist/apps/worker/src/main.js');

/** An API and as many workers as a test starts, each a process of its own, on a database of their own. */
export function prepareBatchService({
  MODEL_DIR = createModelDir({ foreign: ['slow'] }),
  ...others
}: Record<string, string> = {}) {
  const database = prepareDatabase();
  const dataDir = DataDir.create();
  afterThisFile(() => dataDir.dispose());
  const api = {} as Service;
  const environment = () => ({
    DATABASE_URL: database.url,
    MODEL_DIR,
    BATCH_WORKER: 'separate',
    LOG_LEVEL: 'info',
    ...others,
  });
  beforeAll(async () => {
    Object.assign(api, await dataDir.startService({ environment: environment() }));
    afterThisFile(() => api.signal('SIGTERM'));
  });
  return {
    database,
    api,
    user: prepareUser({ api, database }),
    batchDir: join(dataDir.path, 'batches'),
    /** One more worker; it ends with the test. */
    async startWorker(): Promise<RunningProcess> {
      const worker = dataDir.spawn(process.execPath, [WORKER], { environment: environment() });
      onTestFinished(async () => void (await worker.signal('SIGKILL')));
      await vi.waitUntil(() => worker.output().includes('worker ready'), { timeout: 60_000 });
      return worker;
    },
  };
}

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { createUser, type TestUser } from './client.js';
import { CHECKOUT, DataDir, type RunningProcess, type Service } from './data-dir.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

const WORKER = join(CHECKOUT, 'dist/apps/worker/src/main.js');

/** An API and as many workers as a test starts, each a process of its own, on a database of their own. */
export class BatchService {
  private constructor(
    private readonly scratch: string,
    readonly database: TestDatabase,
    private readonly dataDir: DataDir,
    private readonly environment: Record<string, string>,
    readonly api: Service,
    readonly user: TestUser,
  ) {}

  static async start(environment: Record<string, string> = {}): Promise<BatchService> {
    const scratch = mkdtempSync(join(tmpdir(), 'foretell-batch-service-'));
    const models = join(scratch, 'models');
    cpSync('model-artifacts', models, { recursive: true });
    cpSync('test/support/foreign-models/slow', join(models, 'slow/1'), { recursive: true });
    const database = await createTestDatabase();
    const dataDir = DataDir.create();
    const all = {
      DATABASE_URL: database.url,
      MODEL_DIR: models,
      BATCH_WORKER: 'separate',
      LOG_LEVEL: 'info',
      ...environment,
    };
    const api = await dataDir.startService({ environment: all });
    const user = await createUser(api, database);
    return new BatchService(scratch, database, dataDir, all, api, user);
  }

  get batchDir(): string {
    return this.environment.BATCH_DIR ?? join(this.dataDir.path, 'batches');
  }

  /** One more worker; it ends with the test. */
  async startWorker(): Promise<RunningProcess> {
    const worker = this.dataDir.spawn(process.execPath, [WORKER], { environment: this.environment });
    onTestFinished(async () => void (await worker.signal('SIGKILL')));
    await vi.waitUntil(() => worker.output().includes('worker ready'), { timeout: 60_000 });
    return worker;
  }

  /** The row of a batch. */
  async rowOf(id: string): Promise<Record<string, never>> {
    const [row] = await this.database.query<Record<string, never>>('SELECT * FROM batches WHERE id = $1', [
      id,
    ]);
    return row!;
  }

  async stop(): Promise<void> {
    await this.api.signal('SIGTERM');
    await this.dataDir.dispose();
    rmSync(this.scratch, { recursive: true, force: true });
  }
}

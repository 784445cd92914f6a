import type pg from 'pg';
import type { Batch } from './batch.entity.js';
import { type BatchQueue, type Transaction } from './batch-queue.js';
import type { Digest } from './batch-files.js';

/** Who holds this lock works on the batch. PostgreSQL takes it back with the connection, whatever way that ends. */
export const LOCK_KEY = `hashtextextended('foretell batch ' || id, 0)`;

/** A connection that says nothing for so long is as good as lost. */
const TIMEOUT_MS = 3_000;

/** So that the server notices within seconds when the machine at the other end has vanished. */
const KEEPALIVE = `SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3`;

export type TakenBatch = Pick<
  Batch,
  'id' | 'model' | 'modelVersion' | 'format' | 'runs' | 'rows' | 'errors' | 'shareDone'
>;

/** How it ended here. `lost`: with the connection, so that somebody else goes on with it. */
export type Outcome = 'succeeded' | 'failed' | 'given back' | 'cancelled' | 'lost';

export interface Progress {
  rows: number;
  errors: number;
  shareDone: number;
  rowsPerSecond: number;
}

/**
 * A batch that this process works on, and the one connection that entitles it to.
 *
 * States: held → one of the outcomes, for good.
 *
 * Invariants
 * - the job is taken, the lock is held and the row says `running` in one transaction, or none of it;
 * - in every transaction the job comes before the row, so that no two wait for each other;
 * - everything is written through the connection that holds the lock: who lost it can finish nothing any more;
 * - `ended` is aborted as soon as this process must not go on.
 */
export class RunningBatch {
  private readonly ending = new AbortController();
  outcome?: Outcome;

  private constructor(
    private readonly client: pg.PoolClient,
    private readonly queue: BatchQueue,
    readonly batch: TakenBatch,
  ) {
    client.on('error', () => this.end('lost'));
  }

  /** The batch that has waited longest; undefined where none waits. */
  static async takeNext(pool: pg.Pool, queue: BatchQueue): Promise<RunningBatch | undefined> {
    const client = await pool.connect();
    // An 'error' that nobody hears would end the process; whoever waits for a statement hears of it there.
    client.on('error', () => undefined);
    try {
      await client.query('BEGIN');
      const id = await queue.take(within(client));
      if (id === undefined) {
        await client.query('ROLLBACK');
        client.release();
        return undefined;
      }
      // Free but for the moment in which the run before lets go of it.
      await client.query(`SELECT pg_advisory_lock(${LOCK_KEY}) FROM (SELECT $1::text AS id)`, [id]);
      const { rows } = await client.query<TakenBatch>(
        `UPDATE batches
         SET state = 'running', runs = runs + 1, rows_per_second = NULL,
             started_datetime = coalesce(started_datetime, now())
         WHERE id = $1 AND state = 'queued'
         RETURNING id, model, model_version AS "modelVersion", format, runs,
                   rows::float8, errors::float8, share_done AS "shareDone"`,
        [id],
      );
      if (!rows[0]) throw new Error(`The queue has a batch ${id} that is not queued.`);
      await client.query('COMMIT');
      await client.query(KEEPALIVE);
      return new RunningBatch(client, queue, rows[0]);
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  get ended(): AbortSignal {
    return this.ending.signal;
  }

  get isHeld(): boolean {
    return this.outcome === undefined;
  }

  /** Writes down how far it is. By that it also notices that it was cancelled, or that the connection is lost. */
  async report({ rows, errors, shareDone, rowsPerSecond }: Progress): Promise<void> {
    await this.holding(async () => {
      const { rowCount } = await this.query(
        `UPDATE batches SET rows = $2, errors = $3, share_done = $4, rows_per_second = $5
         WHERE id = $1 AND state = 'running'`,
        [rows, errors, shareDone, rowsPerSecond],
      );
      if (rowCount === 0) this.end('cancelled');
    });
  }

  async succeed(output: Digest, ttlHours: number): Promise<void> {
    await this.change(
      'succeeded',
      `state = 'succeeded', output_bytes = $2, output_sha256 = $3, finished_datetime = now(),
       expires_datetime = now() + $4 * interval '1 hour'`,
      [output.bytes, output.sha256, ttlHours],
      (transaction) => this.queue.remove(transaction, this.batch.id),
    );
  }

  async fail(failure: string): Promise<void> {
    await this.change(
      'failed',
      `state = 'failed', failure = $2, finished_datetime = now()`,
      [failure],
      (transaction) => this.queue.remove(transaction, this.batch.id),
    );
  }

  /** For the next worker, or for this one later. */
  async giveBack(): Promise<void> {
    await this.change('given back', `state = 'queued', rows_per_second = NULL`, [], (transaction) =>
      this.queue.putBack(transaction, this.batch.id),
    );
  }

  /** Ends the connection, and the lock with it. */
  release(): void {
    this.client.release(true);
  }

  private async change(
    outcome: Outcome,
    assignments: string,
    values: unknown[],
    changeQueue: (transaction: Transaction) => Promise<void>,
  ): Promise<void> {
    await this.holding(async () => {
      await this.client.query('BEGIN');
      await changeQueue(within(this.client));
      const { rowCount } = await this.query(
        `UPDATE batches SET ${assignments} WHERE id = $1 AND state = 'running'`,
        values,
      );
      await this.client.query(rowCount === 0 ? 'ROLLBACK' : 'COMMIT');
      this.end(rowCount === 0 ? 'cancelled' : outcome);
    });
  }

  private async holding(work: () => Promise<void>): Promise<void> {
    if (!this.isHeld) return;
    try {
      await work();
    } catch (error) {
      this.end('lost');
      throw error;
    }
  }

  private query(text: string, values: unknown[]): Promise<pg.QueryResult> {
    const statement = { text, values: [this.batch.id, ...values], query_timeout: TIMEOUT_MS };
    return this.client.query(statement);
  }

  private end(outcome: Outcome): void {
    if (!this.isHeld) return;
    this.outcome = outcome;
    this.ending.abort();
  }
}

function within(client: pg.PoolClient): Transaction {
  return { executeSql: (text, values) => client.query(text, values) };
}

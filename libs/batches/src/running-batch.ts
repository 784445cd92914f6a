import { setTimeout as pause } from 'node:timers/promises';
import { HeldConnection, isUnavailable } from '#libs/database';
import type { DataSource, EntityManager } from 'typeorm';
import type { Batch, BatchState } from './batch.entity.js';
import { type BatchQueue, type Transaction, transactionOf } from './batch-queue.js';
import type { Digest } from './batch-files.js';
import { keptBytes } from './kept-bytes.js';

/** How soon a caller sees progress, and how late a cancellation is noticed. */
const REPORT_EVERY_MS = 1_000;
/** A worker that has not reported for this long has lost its batch: five reports did not arrive. */
export const LEASE_MS = 5_000;
/** Until when a batch belongs to its worker, by the clock of the database, which is the same for all. */
const LEASE = `lease_expires_datetime = clock_timestamp() + ${LEASE_MS} * interval '1 ms'`;
/** A report that takes longer is given up, by the server first: the next one says the same and more. */
const REPORT_STATEMENT_TIMEOUT_MS = 2_000;
/** A server that has not answered by then never will: the next report uses another connection, within the lease. */
const REPORT_TIMEOUT_MS = 3_000;

export type TakenBatch = Pick<
  Batch,
  | 'id'
  | 'userId'
  | 'model'
  | 'modelVersion'
  | 'format'
  | 'inputBytes'
  | 'writtenBytes'
  | 'runs'
  | 'rows'
  | 'errors'
  | 'shareDone'
>;

/** How it ended here. `lost`: to another worker, or given up without a report. */
export type Outcome = 'succeeded' | 'failed' | 'given back' | 'cancelled' | 'lost';

export type Progress = Pick<Batch, 'rows' | 'errors' | 'shareDone' | 'rowsPerSecond' | 'writtenBytes'>;

const OTHERS_BYTES = `(${keptBytes('kept.user_id = batches.user_id AND kept.id <> batches.id')}) AS "othersBytes"`;

/**
 * A batch that this process works on, for as long as the row in `batches` says that its run is ours.
 *
 * States: held → one of the outcomes, which are final.
 *
 * Invariants
 * - the job is taken and the row says `running`, with a lease and the number of the run, in one transaction;
 * - in every transaction the job comes before the row, so that no two wait for each other;
 * - everything is written on the condition that the row still has the number of this run: a worker whose batch was
 *   given to another can finish nothing any more, whenever it wakes up;
 * - every report renews the lease, whichever connection it uses; an expired lease holds until another worker takes
 *   the batch, so that a short outage of the database costs nothing;
 * - `signal` is aborted as soon as this process must stop.
 */
export class RunningBatch {
  private readonly ending = new AbortController();
  private readonly ended = new AbortController();
  private readonly reports: HeldConnection;
  private isSettling = false;
  private progress?: () => Progress;
  outcome?: Outcome;

  private constructor(
    private readonly dataSource: DataSource,
    private readonly queue: BatchQueue,
    readonly batch: TakenBatch,
    /** How much its user's other files and outputs take, as of the last report. */
    public othersBytes: number,
  ) {
    this.reports = new HeldConnection(dataSource, REPORT_STATEMENT_TIMEOUT_MS);
  }

  /** The batch that has waited longest; undefined if none is waiting. */
  static async takeNext(dataSource: DataSource, queue: BatchQueue): Promise<RunningBatch | undefined> {
    const taken = await dataSource.transaction(async (manager) => {
      const id = await queue.take(transactionOf(manager));
      if (id === undefined) return undefined;
      const [rows] = await manager.query<[(TakenBatch & { othersBytes: number })[], number]>(
        `UPDATE batches
         SET state = 'running', runs = runs + 1, rows_per_second = NULL, ${LEASE},
             started_datetime = coalesce(started_datetime, now())
         WHERE id = $1 AND state = 'queued'
         RETURNING id, user_id AS "userId", model, model_version AS "modelVersion", format, runs,
                   rows::float8, errors::float8, share_done AS "shareDone",
                   input_bytes::float8 AS "inputBytes", written_bytes::float8 AS "writtenBytes", ${OTHERS_BYTES}`,
        [id],
      );
      if (!rows[0]) throw new Error(`The queue has a batch ${id} that is not queued.`);
      return rows[0];
    });
    if (!taken) return undefined;
    const { othersBytes, ...batch } = taken;
    return new RunningBatch(dataSource, queue, batch, othersBytes);
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  get isHeld(): boolean {
    return this.outcome === undefined;
  }

  /** Makes this process stop working on it; its outcome is still to be recorded. */
  interrupt(): void {
    this.ending.abort();
  }

  /** Reports progress every second, which also renews the lease, until it has ended. */
  async keepReporting(progress: () => Progress): Promise<void> {
    this.progress = progress;
    while (this.isHeld) {
      await pause(REPORT_EVERY_MS, undefined, { signal: this.ended.signal }).catch(() => undefined);
      // What could not be reported now is reported in a second.
      await this.report().catch(() => undefined);
    }
  }

  /** Records progress. This also shows whether it was cancelled, or belongs to another worker. */
  async report(): Promise<void> {
    if (!this.isHeld || this.isSettling || !this.progress) return;
    const { rows, errors, shareDone, rowsPerSecond, writtenBytes } = this.progress();
    const statement = {
      text: `UPDATE batches
             SET rows = $3, errors = $4, share_done = $5, rows_per_second = $6, written_bytes = $7, ${LEASE}
             WHERE id = $1 AND runs = $2 AND state = 'running'
             RETURNING ${OTHERS_BYTES}`,
      values: [this.batch.id, this.batch.runs, rows, errors, shareDone, rowsPerSecond, writtenBytes],
      query_timeout: REPORT_TIMEOUT_MS,
    };
    const { rows: reported } = await this.reports.query(statement);
    if (reported[0]) this.othersBytes = reported[0].othersBytes;
    else if (!this.isSettling) this.end(await this.outcomeInTable());
  }

  async succeed({ rows, errors, rowsPerSecond }: Progress, output: Digest, ttlHours: number): Promise<void> {
    await this.finish(
      'succeeded',
      `state = 'succeeded', rows = $3, errors = $4, share_done = 1, rows_per_second = $5,
       output_bytes = $6, output_sha256 = $7, finished_datetime = now(),
       expires_datetime = now() + $8 * interval '1 hour'`,
      [rows, errors, rowsPerSecond, output.bytes, output.sha256, ttlHours],
    );
  }

  async fail(failure: string): Promise<void> {
    await this.finish('failed', `state = 'failed', failure = $3, finished_datetime = now()`, [failure]);
  }

  /** For the next worker, or for this one later. If that cannot be recorded, the lease expires. */
  async giveBack(): Promise<void> {
    await this.settle('given back', `state = 'queued', rows_per_second = NULL`, [], (transaction) =>
      this.queue.putBack(transaction, this.batch.id),
    );
  }

  /** When nothing more can be recorded about it. */
  letGo(): void {
    this.end('lost');
  }

  /** A night's work is not lost because the database is down when it ends. */
  private async finish(outcome: Outcome, assignments: string, values: unknown[]): Promise<void> {
    const remove = (transaction: Transaction) => this.queue.remove(transaction, this.batch.id);
    while (this.isHeld) {
      try {
        await this.settle(outcome, assignments, values, remove);
      } catch (error) {
        if (!isUnavailable(error) || this.signal.aborted) throw error;
        await pause(REPORT_EVERY_MS);
      }
    }
  }

  private async settle(
    outcome: Outcome,
    assignments: string,
    values: unknown[],
    changeQueue: (transaction: Transaction) => Promise<void>,
  ): Promise<void> {
    if (!this.isHeld) return;
    this.isSettling = true;
    try {
      await this.dataSource.transaction(async (manager) => {
        await changeQueue(transactionOf(manager));
        await endRun(manager, this.batch, assignments, values);
      });
      this.end(outcome);
    } catch (error) {
      if (!(error instanceof NotRunning)) throw error;
      this.end(await this.outcomeInTable());
    } finally {
      this.isSettling = false;
    }
  }

  /** What became of a run that is no longer running; perhaps our own update, whose answer we did not receive. */
  private async outcomeInTable(): Promise<Outcome> {
    const [row] = await this.dataSource.query<{ state: BatchState; runs: number }[]>(
      'SELECT state, runs FROM batches WHERE id = $1',
      [this.batch.id],
    );
    if (row?.state === 'cancelled') return 'cancelled';
    const isOurs = row?.runs === this.batch.runs && (row.state === 'succeeded' || row.state === 'failed');
    return isOurs ? (row.state as Outcome) : 'lost';
  }

  private end(outcome: Outcome): void {
    if (!this.isHeld) return;
    this.outcome = outcome;
    this.ending.abort();
    this.ended.abort();
    this.reports.release();
  }
}

/** It was cancelled, or belongs to another worker by now. */
export class NotRunning extends Error {}

/** Records the end of a run. @throws NotRunning if it has already ended; then the transaction must do nothing */
export async function endRun(
  manager: EntityManager,
  { id, runs }: Pick<Batch, 'id' | 'runs'>,
  assignments: string,
  values: unknown[],
  condition = 'true',
): Promise<void> {
  const [, count] = await manager.query<[unknown[], number]>(
    `UPDATE batches SET lease_expires_datetime = NULL, ${assignments}
     WHERE id = $1 AND runs = $2 AND state = 'running' AND ${condition}`,
    [id, runs, ...values],
  );
  if (count === 0) throw new NotRunning(`Batch ${id} is not running any more.`);
}

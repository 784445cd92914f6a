import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { MicroBatcher, QueueFull } from '#libs/micro-batching';
import { CONFIG, type Config } from '#libs/config';
import { BinaryArrays, HeldConnection, isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import { DataSource } from 'typeorm';
import { CommitFigures } from './commit-figures.js';
import type { PredictionRecord } from './prediction-record.js';
import { insertOf } from './record-statements.js';

/** A batch much larger than this gains nothing, and the next one waits for it. */
const MAX_BATCH_RECORDS = 500;
/** A database that says nothing for so long is away: callers are told to come back. */
const TIMEOUT_MS = 5_000;
const LOST_LOG_EVERY_MS = 1_000;

/** Under the record's `Idempotency-Key` there is an answer already; this one must not leave. */
export class AlreadyAnswered extends Error {}

/**
 * Writes predictions down, many in one statement and one commit.
 *
 * While one statement is on its way, arriving records queue; when it returns, the queue becomes the next. On two
 * cores at 64 connections one commit serves about twenty records, and the whole service answers fourteen times as
 * many requests as with a commit each; two statements at a time were slower (docs/benchmarks.md).
 *
 * Invariants
 * - AUDIT_MODE=commit: `record` resolves only once both rows are committed; if it rejects, nothing is promised about
 *   the rows, and the caller must not answer with the prediction;
 * - a record that PostgreSQL refuses for what is in it fails alone, not with the batch it happened to be in;
 * - AUDIT_MODE=async: `record` resolves at once; a record that is lost afterwards is counted and logged;
 * - a record with an `Idempotency-Key` is waited for in either mode, and written only where the key is a new one.
 */
@Injectable()
export class Recorder implements OnApplicationShutdown {
  readonly figures = new CommitFigures();
  private readonly logger = new Logger(Recorder.name);
  private readonly batcher: MicroBatcher<PredictionRecord, string>;
  private readonly connection: HeldConnection;
  private readonly arrays = new BinaryArrays();
  private readonly isAsync: boolean;
  private lostLoggedAt = -Infinity;

  constructor(@Inject(DataSource) dataSource: DataSource, @Inject(CONFIG) config: Config) {
    this.connection = new HeldConnection(dataSource);
    this.isAsync = config.auditMode === 'async';
    this.batcher = new MicroBatcher({
      run: (records) => this.write(records),
      maxBatch: MAX_BATCH_RECORDS,
      maxQueued: config.auditQueueRows,
    });
  }

  /** Whether a record would be refused now: asked before the work that would need one. */
  get isFull(): boolean {
    return !this.isAsync && this.batcher.isFull;
  }

  /** How many records wait for the next commit. */
  get queued(): number {
    return this.batcher.queued;
  }

  /**
   * @param onWritten hears the id of the request's row once both rows are committed, in either mode
   * @throws AlreadyAnswered, Problem `overloaded` when too many records wait, `database-unavailable` when they cannot be written.
   */
  async record(record: PredictionRecord, onWritten?: (id: string) => void): Promise<void> {
    const written = this.batcher.add(record);
    const { trace } = record;
    if (trace)
      written.then(
        () => trace.end(),
        (error: unknown) => trace.end(error),
      );
    if (onWritten) written.then(onWritten, () => undefined);
    if (this.isAsync && !record.idempotency) {
      written.catch((error: unknown) => this.countLost(error));
      return;
    }
    try {
      await written;
    } catch (error) {
      if (error instanceof QueueFull) throw overloaded();
      throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    }
  }

  /** The requests in flight have been answered by now; in async mode their records may still be on their way. */
  async onApplicationShutdown(): Promise<void> {
    await this.batcher.idle();
    this.connection.release();
    if (this.figures.lost.value > 0)
      this.logger.error(`${this.figures.lost.value} answers left without a record since the start`);
  }

  private async write(records: PredictionRecord[]): Promise<(string | Error)[]> {
    for (const { trace } of records) trace?.committing();
    try {
      return await this.insert(records);
    } catch (error) {
      if (isUnavailable(error) || records.length === 1) throw error;
      const alone = async (record: PredictionRecord) => (await this.insert([record]))[0]!;
      return Promise.all(records.map((record) => alone(record).catch((refusal: Error) => refusal)));
    }
  }

  /** @returns the ids of the requests' rows, in order */
  private async insert(records: readonly PredictionRecord[]): Promise<(string | Error)[]> {
    const statement = {
      ...insertOf(records, this.arrays),
      rowMode: 'array' as const,
      query_timeout: TIMEOUT_MS,
    };
    const result = await this.figures.measure(records.length, () => this.connection.query(statement));
    return (result.rows as unknown as [string | null][]).map(([id]) => id ?? new AlreadyAnswered());
  }

  private countLost(error: unknown): void {
    this.figures.lost.add();
    if (performance.now() - this.lostLoggedAt < LOST_LOG_EVERY_MS) return;
    this.lostLoggedAt = performance.now();
    this.logger.error(
      `an answer left without its record (${this.figures.lost.value} so far): ${(error as Error).message}`,
    );
  }
}

function overloaded(): Problem {
  return Problem.overloaded('More predictions are waiting to be recorded than can be. Please try again.');
}

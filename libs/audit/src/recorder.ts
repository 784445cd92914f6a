import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { MicroBatcher, QueueFull } from '#libs/micro-batching';
import { CONFIG, type Config } from '#libs/config';
import { BinaryArrays, HeldConnection, isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import pTimeout from 'p-timeout';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { CommitFigures } from './commit-figures.js';
import { LossLog } from './loss-log.js';
import type { PredictionRecord } from './prediction-record.js';
import { RecordPartitions } from './record-partitions.js';
import { findOf, insertOf } from './record-statements.js';

/** A batch much larger than this gains nothing, and the next one waits for it. */
const MAX_BATCH_RECORDS = 500;
/**
 * In characters of JSON: a batch stays far below what PostgreSQL accepts as one message (1 GB), and what waits
 * stays below the available memory.
 */
const MAX_BATCH_SIZE = 16 * 1024 ** 2;
const MAX_QUEUED_SIZE = 64 * 1024 ** 2;
/** A database that does not answer for this long is down: callers are told to come back. */
const TIMEOUT_MS = 5_000;
/** The server gives up before we do: its own report leaves no doubt. */
const STATEMENT_TIMEOUT_MS = 4_500;
const RETRY_EVERY_MS = 250;
const LOG_EVERY_MS = 1_000;

/** There is already an answer under the record's `Idempotency-Key`; this one must not leave. */
export class AlreadyAnswered extends Error {}

/** The process is ending, and whether these records were written can no longer be found out. */
class Unresolved extends Error {}

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
 * - a record whose content PostgreSQL refuses fails alone, not with the batch it happened to be in;
 * - AUDIT_MODE=async: `record` resolves at once. While the database is down, records wait for it, as many as the queue
 *   takes; what finds no room, or is refused, is counted and logged. A batch whose connection broke is looked up
 *   before it is written again, so that none is written twice, and answers = records + lost once nothing waits.
 *   Only a batch in progress when we are told to end without a database remains in doubt;
 * - a record with an `Idempotency-Key` is awaited in either mode, and written only if the key is new.
 */
@Injectable()
export class Recorder implements OnApplicationShutdown {
  readonly figures = new CommitFigures();
  private readonly logger = new Logger(Recorder.name);
  private readonly batcher: MicroBatcher<PredictionRecord, string>;
  private readonly connection: HeldConnection;
  private readonly arrays = new BinaryArrays();
  private readonly isAsync: boolean;
  private inDoubt = 0;
  private readonly losses = new LossLog(this.figures.lost, LOG_EVERY_MS, (soFar, reason) =>
    this.logger.error(`an answer left without its record (${soFar} so far): ${reason}`),
  );
  private isEnding = false;
  private isAway = false;
  /** The id of the latest request row that we wrote; every later one is higher. */
  private latestId = '0';

  constructor(
    dataSource: DataSource,
    @Inject(CONFIG) config: Config,
    private readonly partitions: RecordPartitions,
  ) {
    this.connection = new HeldConnection(dataSource, STATEMENT_TIMEOUT_MS);
    this.isAsync = config.auditMode === 'async';
    this.batcher = new MicroBatcher({
      run: (records) => (this.isAsync ? this.writeInTheEnd(records) : this.write(records)),
      maxBatch: MAX_BATCH_RECORDS,
      maxQueued: config.auditQueueRows,
      ownerOf: ({ userId }) => userId,
      size: { of: sizeOf, maxBatch: MAX_BATCH_SIZE, maxQueued: MAX_QUEUED_SIZE },
    });
  }

  /** Whether a record of this user would be refused now: checked before the work that would need one. */
  isFullFor(userId: number): boolean {
    return !this.isAsync && this.batcher.isFullFor(userId);
  }

  /** How many records wait for the next commit. */
  get queued(): number {
    return this.batcher.queued;
  }

  /**
   * @param onWritten called with the id of the request's row once both rows are committed, in either mode
   * @throws AlreadyAnswered, Problem `overloaded` if too many records wait, `database-unavailable` if writing fails.
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
      written.catch((error: Error) => this.countLost(error));
      return;
    }
    try {
      await (this.isAsync ? inTime(written) : written);
    } catch (error) {
      if (error instanceof QueueFull) throw overloaded();
      throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    }
  }

  /** The requests in flight have been answered by now; in async mode their records may still be on their way. */
  async onApplicationShutdown(): Promise<void> {
    this.isEnding = true;
    await this.batcher.idle();
    this.losses.end();
    this.connection.release();
    const lost = this.figures.lost.value;
    if (lost > 0) this.logger.error(`${lost} answers left without a record since the start`);
    if (this.inDoubt > 0) this.logger.error(`it is not known whether ${this.inDoubt} more have one`);
  }

  private async write(records: PredictionRecord[]): Promise<(string | Error)[]> {
    for (const { trace } of records) trace?.committing();
    try {
      return await this.insert(records);
    } catch (error) {
      if (isUnavailable(error) || records.length === 1) throw error;
      const alone = async (record: PredictionRecord) =>
        (await (this.isAsync ? this.writeInTheEnd([record]) : this.insert([record])))[0]!;
      return Promise.all(records.map((record) => alone(record).catch((refusal: Error) => refusal)));
    }
  }

  /** Waits for a database that is down, for as long as this process runs. */
  private async writeInTheEnd(records: PredictionRecord[]): Promise<(string | Error)[]> {
    for (;;) {
      // So that we end in time, only the first batch that finds the database down waits to find out.
      if (this.isEnding && this.isAway) throw new Error('the database is away');
      try {
        return await this.write(records);
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        this.isAway = true;
      }
      const ids = await this.findInTheEnd(records);
      this.isAway = false;
      // It was one statement: all of it or nothing, except for keys that already had an answer.
      if (ids.some((id) => id !== null)) return ids.map((id) => id ?? new AlreadyAnswered());
    }
  }

  private async findInTheEnd(records: readonly PredictionRecord[]): Promise<(string | null)[]> {
    for (;;) {
      try {
        await this.connection.endLost();
        return await this.query(findOf(records, this.latestId, this.arrays));
      } catch (cause) {
        if (this.isEnding || !isUnavailable(cause)) throw new Unresolved((cause as Error).message, { cause });
        await sleep(RETRY_EVERY_MS);
      }
    }
  }

  /** @returns the ids of the requests' rows, in order */
  private async insert(records: readonly PredictionRecord[]): Promise<(string | Error)[]> {
    const statement = insertOf(records, this.arrays);
    const ids = await this.partitions.withRoom(() =>
      this.figures.measure(records.length, () => this.query(statement)),
    );
    this.latestId = ids.findLast((id) => id !== null) ?? this.latestId;
    return ids.map((id) => id ?? new AlreadyAnswered());
  }

  private async query(statement: pg.QueryConfig): Promise<(string | null)[]> {
    const timed = { ...statement, rowMode: 'array' as const, query_timeout: TIMEOUT_MS };
    const { rows } = await this.connection.query(timed);
    return (rows as unknown as [string | null][]).map(([id]) => id);
  }

  private countLost(error: Error): void {
    if (error instanceof Unresolved) this.inDoubt++;
    else this.figures.lost.add();
    this.losses.add(error);
  }
}

/** A caller who waits for a key's record does not wait for a database that is down; a retry shows what became of it. */
function inTime<T>(written: Promise<T>): Promise<T> {
  const fallback = () => {
    throw Problem.databaseUnavailable(new Error('the record was not written in time'));
  };
  return pTimeout(written, { milliseconds: TIMEOUT_MS, fallback });
}

const sizeOf = ({ input, output }: PredictionRecord) => input.length + output.length;

function overloaded(): Problem {
  return Problem.overloaded('More predictions are waiting to be recorded than can be. Please try again.');
}

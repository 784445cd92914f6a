import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { MicroBatcher, QueueFull } from '#libs/micro-batching';
import { CONFIG, type Config } from '#libs/config';
import { isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import pTimeout from 'p-timeout';
import { DataSource } from 'typeorm';
import { CommitWriter, TIMEOUT_MS } from './commit-writer.js';
import { LossLog } from './loss-log.js';
import { PatientWriter, Unresolved } from './patient-writer.js';
import type { PredictionRecord } from './prediction-record.js';
import { RecordPartitions } from './record-partitions.js';

/** A batch much larger than this gains nothing, and the next one waits for it. */
const MAX_BATCH_RECORDS = 500;
/**
 * In characters of JSON: a batch stays far below what PostgreSQL accepts as one message (1 GB), and what waits
 * stays below the available memory.
 */
const MAX_BATCH_SIZE = 16 * 1024 ** 2;
const MAX_QUEUED_SIZE = 64 * 1024 ** 2;
const LOG_EVERY_MS = 1_000;

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
 *   takes; what finds no room, or is refused, is counted and logged: answers = records + lost once nothing waits.
 *   Only a batch in progress when we are told to end without a database remains in doubt;
 * - a record with an `Idempotency-Key` is awaited in either mode, and written only if the key is new.
 */
@Injectable()
export class Recorder implements OnApplicationShutdown {
  private readonly logger = new Logger(Recorder.name);
  private readonly commits: CommitWriter;
  /** Only for AUDIT_MODE=async. */
  private readonly patient?: PatientWriter;
  private readonly batcher: MicroBatcher<PredictionRecord, string>;
  private inDoubt = 0;
  private readonly losses: LossLog;

  constructor(dataSource: DataSource, @Inject(CONFIG) config: Config, partitions: RecordPartitions) {
    this.commits = new CommitWriter(dataSource, partitions);
    this.losses = new LossLog(this.figures.lost, LOG_EVERY_MS, (soFar, reason) =>
      this.logger.error(`an answer left without its record (${soFar} so far): ${reason}`),
    );
    if (config.auditMode === 'async') this.patient = new PatientWriter(this.commits);
    this.batcher = new MicroBatcher({
      run: (records) => this.write(records),
      maxBatch: MAX_BATCH_RECORDS,
      maxQueued: config.auditQueueRows,
      ownerOf: ({ userId }) => userId,
      size: { of: sizeOf, maxBatch: MAX_BATCH_SIZE, maxQueued: MAX_QUEUED_SIZE },
    });
  }

  get figures() {
    return this.commits.figures;
  }

  /** Whether a record of this user would be refused now: checked before the work that would need one. */
  isFullFor(userId: number): boolean {
    return !this.patient && this.batcher.isFullFor(userId);
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
    if (this.patient && !record.idempotency) {
      written.catch((error: Error) => this.countLost(error));
      return;
    }
    try {
      await (this.patient ? inTime(written) : written);
    } catch (error) {
      if (error instanceof QueueFull) throw overloaded();
      throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    }
  }

  /** The requests in flight have been answered by now; in async mode their records may still be on their way. */
  async onApplicationShutdown(): Promise<void> {
    this.patient?.end();
    await this.batcher.idle();
    this.losses.end();
    this.commits.release();
    const lost = this.figures.lost.value;
    if (lost > 0) this.logger.error(`${lost} answers left without a record since the start`);
    if (this.inDoubt > 0) this.logger.error(`it is not known whether ${this.inDoubt} more have one`);
  }

  /** A record whose contents are refused is found by halving the batch. */
  private async write(records: PredictionRecord[]): Promise<(string | Error)[]> {
    for (const { trace } of records) trace?.committing();
    const results: (string | Error)[] = [];
    const parts = [records];
    let isDown = false;
    for (let part = parts.pop(); part; part = parts.pop()) {
      try {
        if (isDown) throw new Error('connection lost: the records before these were not written');
        results.push(...(await (this.patient ?? this.commits).write(part)));
      } catch (error) {
        isDown ||= isUnavailable(error) || error instanceof Unresolved;
        const middle = part.length >> 1;
        if (isDown || middle === 0) results.push(...part.map(() => error as Error));
        else parts.push(part.slice(middle), part.slice(0, middle));
      }
    }
    return results;
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

import { hostname } from 'node:os';
import { BinaryArrays, HeldConnection } from '#libs/database';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { CommitFigures } from './commit-figures.js';
import type { PredictionRecord } from './prediction-record.js';
import type { RecordPartitions } from './record-partitions.js';
import { idsIn, idsOfCommit, insertOf, type CommitNumber } from './record-statements.js';

/** There is already an answer under the record's `Idempotency-Key`; this one must not leave. */
export class AlreadyAnswered extends Error {}

/** A database that does not answer for this long is down: callers are told to come back. */
export const TIMEOUT_MS = 5_000;
/** The server gives up before we do: its own report leaves no doubt. */
const STATEMENT_TIMEOUT_MS = 4_500;

/**
 * Writes records, all of a call in one statement and one commit.
 *
 * Invariants
 * - it writes under a lease, a row in `writers`, which ends with its connection;
 * - the commits of a lease have the numbers 1, 2, 3 … without a gap: the next one is sent only after the last one was
 *   answered, and what was not committed leaves its number to the next. If it is not known whether a commit took place, the
 *   connection is over, and the lease with it;
 * - one call at a time.
 */
export class CommitWriter {
  readonly figures = new CommitFigures();
  private readonly connection: HeldConnection;
  private readonly arrays = new BinaryArrays();
  /** The last commit of the current lease. */
  private last: CommitNumber = { writer: 0, seq: 0 };
  /** Neither answered nor refused. */
  private sent?: CommitNumber;

  constructor(
    dataSource: DataSource,
    private readonly partitions: RecordPartitions,
  ) {
    this.connection = new HeldConnection(dataSource, STATEMENT_TIMEOUT_MS, {
      begin: (client) => this.beginLease(client),
    });
  }

  /** @returns for each record the id of its request's row, or why it has none */
  async write(records: readonly PredictionRecord[]): Promise<(string | AlreadyAnswered)[]> {
    const ids = await this.partitions.withRoom(() =>
      this.figures.measure(records.length, () => this.commit(records)),
    );
    return ids.map((id) => id ?? new AlreadyAnswered());
  }

  /** Whether the last call failed, and its records may have been written all the same. */
  get isInDoubt(): boolean {
    return this.sent !== undefined;
  }

  /**
   * What became of the last call if its answer never came. Nothing of it is left in the server then.
   * @returns what the call would have returned; undefined if nothing of it was written
   */
  async recall(records: readonly PredictionRecord[]): Promise<(string | AlreadyAnswered)[] | undefined> {
    if (!this.sent) return undefined;
    await this.connection.endLost();
    const { rows } = await this.connection.query({
      ...idsOfCommit(this.sent),
      query_timeout: TIMEOUT_MS,
    });
    this.sent = undefined;
    if (rows.length === 0) return undefined;
    const ids = new Map(rows.map(({ index, id }: { index: number; id: string }) => [index, id]));
    return records.map((_, place) => ids.get(place + 1) ?? new AlreadyAnswered());
  }

  release(): void {
    this.connection.release();
  }

  private async commit(records: readonly PredictionRecord[]): Promise<(string | null)[]> {
    this.sent = undefined;
    try {
      const { rows } = await this.connection.query(() => {
        this.sent = { ...this.last, seq: this.last.seq + 1 };
        return { ...insertOf(records, this.sent, this.arrays), query_timeout: TIMEOUT_MS };
      });
      const ids = idsIn(rows);
      if (ids.some((id) => id !== null)) this.last = this.sent!;
      this.sent = undefined;
      return ids;
    } catch (error) {
      // Refused for its contents: the connection is as good as before.
      if (this.connection.isHeld) this.sent = undefined;
      throw error;
    }
  }

  private async beginLease(client: pg.PoolClient): Promise<void> {
    const { rows } = await client.query<{ id: number }>(
      `INSERT INTO writers (uuid, process, backend_pid, backend_start)
       SELECT gen_random_uuid(), $1, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
       RETURNING id`,
      [`${hostname()}:${process.pid}`],
    );
    this.last = { writer: rows[0]!.id, seq: 0 };
  }
}

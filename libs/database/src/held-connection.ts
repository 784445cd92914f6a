import { randomInt } from 'node:crypto';
import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { poolOf } from './data-source.js';
import { isUnavailable } from './postgres-errors.js';

/** First half of the advisory locks that say which of these connections the server still has; the second is random. */
const ALIVE = 7_310_005;

/**
 * One connection of the pool, kept for one kind of statement that follows itself closely. A statement leaves for the
 * server in the very call that asks for it; through the pool it would leave only once everything that waits in this
 * turn of the event loop is done, and the server would idle meanwhile.
 *
 * States: none → taking → held → none (a connection that broke is given up; the next statement takes another).
 *
 * Invariants
 * - the server gives up a statement after `statementTimeoutMs`, so that one that we gave up does not wait for a lock
 *   and take effect long after;
 * - whether a statement took effect whose connection broke can be looked up once `endLost` has resolved: by then the
 *   server has none of the broken connections any more, not even one that had not read the statement yet.
 */
export class HeldConnection {
  private client?: pg.PoolClient;
  private taking?: Promise<pg.PoolClient>;
  private key = 0;
  /** Of connections that broke, and that the server may still have. */
  private lost: number[] = [];

  constructor(
    private readonly dataSource: DataSource,
    private readonly statementTimeoutMs: number,
  ) {}

  query(statement: pg.QueryConfig): Promise<pg.QueryResult> {
    if (this.client) return this.send(this.client, statement);
    this.taking ??= this.take().finally(() => (this.taking = undefined));
    return this.taking.then((client) => this.send(client, statement));
  }

  /** Ends what the server still has of connections that broke. */
  async endLost(): Promise<void> {
    const keys = this.lost;
    if (keys.length === 0) return;
    const end = `
      SELECT pg_terminate_backend(pid, 1000) FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND classid = ${ALIVE} AND objid::bigint = ANY ($1)`;
    while ((await poolOf(this.dataSource).query(end, [keys])).rowCount !== 0);
    this.lost = this.lost.filter((key) => !keys.includes(key));
  }

  release(): void {
    // With its settings and its lock it is of no use to others.
    this.client?.release(true);
    this.client = undefined;
  }

  private async take(): Promise<pg.PoolClient> {
    const client = await poolOf(this.dataSource).connect();
    // From the first moment, and for good: an 'error' that nobody hears would end the process.
    client.on('error', () => this.drop(client));
    const key = randomInt(2 ** 31);
    try {
      await client.query(
        `SET statement_timeout = ${this.statementTimeoutMs}; SELECT pg_advisory_lock(${ALIVE}, ${key})`,
      );
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.client = client;
    this.key = key;
    return client;
  }

  private async send(client: pg.PoolClient, statement: pg.QueryConfig): Promise<pg.QueryResult> {
    try {
      return await client.query(statement);
    } catch (error) {
      // A statement that was refused for what is in it leaves a connection as good as before.
      if (isUnavailable(error)) this.drop(client);
      throw error;
    }
  }

  private drop(client: pg.PoolClient): void {
    if (client !== this.client) return;
    this.client = undefined;
    this.lost.push(this.key);
    client.release(true);
  }
}

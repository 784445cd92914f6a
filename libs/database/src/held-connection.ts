import type pg from 'pg';
import type { DataSource } from 'typeorm';
import type { Statement } from './connection.js';
import { poolOf } from './data-source.js';
import { isUnavailable } from './postgres-errors.js';

/** The server's process behind a connection. Process ids are reused, so its start time is part of its identity. */
interface Backend {
  pid: number;
  /** In seconds since 1970, with all digits. */
  startedAt: string;
}

/** The most that are remembered. Only one statement at a time can be in doubt; this is far more. */
const MAX_LOST = 100;

export interface HeldConnectionOptions {
  endLostTimeoutMs?: number;
  /** Called on each new connection before its first statement. */
  begin?(client: pg.PoolClient): Promise<void>;
}

/** Together with a statement that is given up after 5 s, this fits into the time that a process has to stop. */
const END_LOST_TIMEOUT_MS = 3_000;

/**
 * One connection of the pool, kept for one kind of statement that is sent in close succession. A statement leaves for
 * the server in the very call that requests it; through the pool it would leave only after everything else in this
 * turn of the event loop, and the server would be idle meanwhile.
 *
 * States: none → taking → held → none (a broken connection is given up; the next statement takes another).
 *
 * Invariants
 * - each statement is a transaction of its own: it has resolved only if the server then reported that it is outside
 *   any transaction, which means that the statement is committed;
 * - the server gives up a statement after `statementTimeoutMs`, so that one that we gave up does not wait for a lock
 *   and take effect much later;
 * - if a statement's connection broke, whether it took effect can be looked up once `endLost` has resolved: by then the
 *   server has none of the broken connections left, not even one that had not read the statement yet.
 */
export class HeldConnection {
  private client?: pg.PoolClient;
  private taking?: Promise<pg.PoolClient>;
  private backend?: Backend;
  /** Behind broken connections; the server may still have them. */
  private lost: Backend[] = [];
  private readonly endLostTimeoutMs: number;
  private readonly begin: HeldConnectionOptions['begin'];

  constructor(
    private readonly dataSource: DataSource,
    private readonly statementTimeoutMs: number,
    { endLostTimeoutMs = END_LOST_TIMEOUT_MS, begin }: HeldConnectionOptions = {},
  ) {
    this.endLostTimeoutMs = endLostTimeoutMs;
    this.begin = begin;
  }

  /** @param statement or what makes it, once there is a connection */
  query(statement: Statement | (() => Statement)): Promise<pg.QueryResult> {
    const made = typeof statement === 'function' ? statement : () => statement;
    if (this.client) return this.send(this.client, made());
    this.taking ??= this.take().finally(() => (this.taking = undefined));
    return this.taking.then((client) => this.send(client, made()));
  }

  get isHeld(): boolean {
    return this.client !== undefined;
  }

  /** Ends what the server still has of broken connections. */
  async endLost(): Promise<void> {
    const lost = this.lost;
    if (lost.length === 0) return;
    const text = `
      SELECT pg_terminate_backend(lost.pid, 1000)
      FROM pg_stat_activity JOIN unnest($1::integer[], $2::numeric[]) AS lost (pid, started_at)
        ON lost.pid = pg_stat_activity.pid AND started_at = extract(epoch FROM backend_start)`;
    const values = [lost.map(({ pid }) => pid), lost.map(({ startedAt }) => startedAt)];
    const end: Statement = { text, values, query_timeout: this.endLostTimeoutMs };
    while ((await poolOf(this.dataSource).query(end)).rowCount !== 0);
    this.lost = this.lost.filter((backend) => !lost.includes(backend));
  }

  release(): void {
    // With its settings it is of no use to others.
    this.client?.release(true);
    this.client = undefined;
  }

  private async take(): Promise<pg.PoolClient> {
    const client = await poolOf(this.dataSource).connect();
    client.on('error', () => this.drop(client));
    try {
      await client.query(`SET statement_timeout = ${this.statementTimeoutMs}`);
      const { rows } = await client.query<Backend>(
        `SELECT pid, extract(epoch FROM backend_start)::text AS "startedAt"
         FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
      );
      this.backend = rows[0]!;
      await this.begin?.(client);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.client = client;
    return client;
  }

  private async send(client: pg.PoolClient, statement: Statement): Promise<pg.QueryResult> {
    try {
      const result = await client.query(statement);
      if (client.getTransactionStatus() === 'I') return result;
      throw new Error('connection lost: it is inside a transaction, where nothing is committed');
    } catch (error) {
      // A statement that was refused for its content leaves the connection as good as before.
      if (isUnavailable(error)) this.drop(client);
      throw error;
    }
  }

  private drop(client: pg.PoolClient): void {
    if (client !== this.client) return;
    this.client = undefined;
    this.lost = [...this.lost, this.backend!].slice(-MAX_LOST);
    client.release(true);
  }
}

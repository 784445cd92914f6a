import type pg from 'pg';
import type { DataSource } from 'typeorm';
import { poolOf } from './data-source.js';

/**
 * One connection of the pool, kept for one kind of statement that follows itself closely. A statement leaves for the
 * server in the very call that asks for it; through the pool it would leave only once everything that waits in this
 * turn of the event loop is done, and the server would idle meanwhile.
 *
 * States: none → held → none (an error gives it back, broken; the next statement takes another).
 */
export class HeldConnection {
  private client?: pg.PoolClient;

  constructor(private readonly dataSource: DataSource) {}

  query(statement: pg.QueryConfig): Promise<pg.QueryResult> {
    return this.client
      ? this.send(this.client, statement)
      : this.take().then((client) => this.send(client, statement));
  }

  release(): void {
    this.client?.release();
    this.client = undefined;
  }

  private async take(): Promise<pg.PoolClient> {
    const client = await poolOf(this.dataSource).connect();
    client.once('error', () => this.drop(client));
    this.client = client;
    return client;
  }

  private async send(client: pg.PoolClient, statement: pg.QueryConfig): Promise<pg.QueryResult> {
    try {
      return await client.query(statement);
    } catch (error) {
      this.drop(client);
      throw error;
    }
  }

  private drop(client: pg.PoolClient): void {
    if (client !== this.client) return;
    this.client = undefined;
    client.release(true);
  }
}

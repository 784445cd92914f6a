import { Injectable } from '@nestjs/common';
import { poolOf } from '#libs/database';
import type PgBoss from 'pg-boss';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';

const QUEUE = 'batches';

/** Notified of every batch that may be taken. */
export const BATCHES_CHANNEL = 'foretell_batches';

/** The connection whose transaction a change of the queue takes part in. */
export type Transaction = PgBoss.Db;

export function transactionOf({ queryRunner }: EntityManager): Transaction {
  return {
    executeSql: async (text, values) => ({
      rows: (await (queryRunner as QueryRunner).query(text, values, true)).records,
    }),
  };
}

/**
 * Which batch is next, kept by pg-boss. A job has the id of its batch, and exists exactly as long as the batch is
 * queued or running: every change of one is made in the transaction that changes the other. So nothing in pg-boss that
 * works by the clock is used, neither its expiry, which would take a long batch for a dead one, nor its archive.
 */
@Injectable()
export class BatchQueue {
  private boss?: Promise<PgBoss>;

  constructor(private readonly dataSource: DataSource) {}

  async add(transaction: Transaction, id: string): Promise<void> {
    const boss = await this.open();
    const sent = await boss.send(QUEUE, {}, { id, db: transaction });
    if (sent === null) throw new Error(`There is no queue ${QUEUE}.`);
    await tell(transaction, id);
  }

  /** The id of the batch that has waited longest; no one else gets it once the transaction is committed. */
  async take(transaction: Transaction): Promise<string | undefined> {
    const boss = await this.open();
    // pg-boss treats any failure as an empty queue.
    let failure: unknown;
    const db: Transaction = {
      executeSql: (text, values) =>
        transaction.executeSql(text, values).catch((error) => {
          failure = error;
          throw error;
        }),
    };
    const [job] = await boss.fetch(QUEUE, { db });
    if (failure !== undefined) throw failure;
    return job?.id;
  }

  /** Back to its former place. */
  async putBack(transaction: Transaction, id: string): Promise<void> {
    const boss = await this.open();
    await boss.cancel(QUEUE, id, { db: transaction });
    await boss.resume(QUEUE, id, { db: transaction });
    await tell(transaction, id);
  }

  async remove(transaction: Transaction, id: string): Promise<void> {
    await (await this.open()).deleteJob(QUEUE, id, { db: transaction });
  }

  /** Loaded when it is needed: an API that receives no batches starts without it. */
  private open(): Promise<PgBoss> {
    this.boss ??= this.start().catch((error) => {
      this.boss = undefined;
      throw error;
    });
    return this.boss;
  }

  private async start(): Promise<PgBoss> {
    const { default: Boss } = await import('pg-boss');
    const pool = poolOf(this.dataSource);
    const db = { executeSql: (text: string, values: unknown[]) => pool.query(text, values) };
    // Only our migrations change its schema. It would do so itself behind an advisory lock, which anyone may hold.
    return new Boss({ db, migrate: false, supervise: false, schedule: false }).start();
  }
}

async function tell(transaction: Transaction, id: string): Promise<void> {
  await transaction.executeSql('SELECT pg_notify($1, $2)', [BATCHES_CHANNEL, id]);
}

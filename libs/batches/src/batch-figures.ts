import { Injectable } from '@nestjs/common';
import { poolOf } from '#libs/database';
import pTimeout from 'p-timeout';
import { DataSource } from 'typeorm';
import type { BatchState } from './batch.entity.js';

const STATES: readonly BatchState[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled'];
/** Queried three times per scrape, and by every process. */
const KEPT_MS = 5_000;
/** Metrics must not wait for the database: the rest of them matter, too. */
const TIMEOUT_MS = 1_000;

/** The counts of all batches in one state. */
export interface BatchCount {
  state: BatchState;
  batches: number;
  rows: number;
  /** Rows that got an error instead of a prediction. */
  errors: number;
}

/** How many batches there are, from the table that records what became of each, whichever worker ran it. */
@Injectable()
export class BatchFigures {
  private counted?: { at: number; counts: Promise<readonly BatchCount[]> };

  constructor(private readonly dataSource: DataSource) {}

  /** All states; none if the database does not answer. */
  count(): Promise<readonly BatchCount[]> {
    if (!this.counted || performance.now() - this.counted.at > KEPT_MS) {
      const none = () => [];
      const counts = pTimeout(this.read().catch(none), { milliseconds: TIMEOUT_MS, fallback: none });
      this.counted = { at: performance.now(), counts };
    }
    return this.counted.counts;
  }

  private async read(): Promise<readonly BatchCount[]> {
    const { rows } = await poolOf(this.dataSource).query<BatchCount>(
      `SELECT state, count(*)::float8 AS batches, sum(rows)::float8 AS rows, sum(errors)::float8 AS errors
       FROM batches GROUP BY state`,
    );
    return STATES.map(
      (state) => rows.find((row) => row.state === state) ?? { state, batches: 0, rows: 0, errors: 0 },
    );
  }
}

import type pg from 'pg';
import { load, type Figures } from './load.js';
import { parentOf, secondsSince, treeSeconds } from '../test/support/process-tree.js';
import { connect, type Rounds } from './run.js';
import type { Variant, VariantName } from './variants.js';

export interface Sample extends Figures {
  /** Processor time of the service and all its processes, for each request. */
  serviceMicros: number;
  /** The same of PostgreSQL and all its processes. */
  databaseMicros: number;
  /** How many requests one commit recorded, on average; only for variants that record in `requests`. */
  rowsPerCommit: number;
}

/** Every sample of a variant with this number of connections. */
export type Samples = Rounds<Sample, [variant: VariantName, connections: number]>;

/** One variant, once, with this number of connections, and the processor time that the service and PostgreSQL used. */
export class Measurement {
  private constructor(
    private readonly client: pg.Client,
    private readonly postmaster: number,
  ) {}

  static async open(databaseUrl: string): Promise<Measurement> {
    const client = await connect(databaseUrl);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return new Measurement(client, parentOf(rows[0]!.pid));
  }

  async run({ name, target, pid }: Variant, connections: number, seconds: number): Promise<Sample> {
    const before = { service: treeSeconds(pid), database: treeSeconds(this.postmaster) };
    const lastId = await this.lastRequest();
    const figures = await load({ ...target, connections, seconds });
    // Answers that are not recorded yet must not affect the next sample.
    await this.isRecorded();
    const each = 1e6 / figures.count;
    return {
      ...figures,
      serviceMicros: secondsSince(before.service, pid) * each,
      databaseMicros: secondsSince(before.database, this.postmaster) * each,
      rowsPerCommit: name === 'recorded' ? await this.rowsPerCommit(lastId) : NaN,
    };
  }

  close(): Promise<void> {
    return this.client.end();
  }

  private async isRecorded(): Promise<void> {
    for (let last = -1, now = 0; last !== now;) {
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
      now = await this.lastRequest();
    }
  }

  private async lastRequest(): Promise<number> {
    const { rows } = await this.client.query<{ id: string }>('SELECT last_value AS id FROM requests_id_seq');
    return Number(rows[0]!.id);
  }

  private async rowsPerCommit(after: number): Promise<number> {
    const { rows } = await this.client.query<{ mean: number }>(
      'SELECT avg(count)::float8 AS mean FROM commits WHERE first_id > $1',
      [after],
    );
    return rows[0]!.mean;
  }
}

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
  /** How many requests one commit recorded, on the average; of what records in `requests`. */
  rowsPerCommit: number;
}

/** Every sample of a variant at so many connections. */
export type Samples = Rounds<Sample, [variant: VariantName, connections: number]>;

/** One variant, once, at so many connections, with the processor time it took of others. */
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
    // What was answered but not recorded yet must not weigh on the next.
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
      'SELECT (count(*) / greatest(count(DISTINCT xmin::text), 1)::float) AS mean FROM requests WHERE id > $1',
      [after],
    );
    return rows[0]!.mean;
  }
}

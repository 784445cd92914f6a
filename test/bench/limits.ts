/** What no service of this kind can beat: the commit alone, the record's statement alone, the model alone. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import pg from 'pg';
import { PATIENT } from '../support/client.js';

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** One row in, one commit, over a connection of its own. @returns the median in ms */
export async function bareCommit(databaseUrl: string, commits: number): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('CREATE TABLE IF NOT EXISTS bare_commit (body jsonb)');
    const times: number[] = [];
    for (let index = 0; index < commits; index++) {
      const started = performance.now();
      await client.query({ name: 'bare', text: 'INSERT INTO bare_commit VALUES ($1)', values: [PATIENT] });
      times.push(performance.now() - started);
    }
    return median(times);
  } finally {
    await client.end();
  }
}

/** ONNX Runtime in a loop on a prepared tensor, in one thread. @returns rows a second */
export async function bareOnnx(rowsPerRun: number, seconds: number): Promise<number> {
  const session = await ort.InferenceSession.create('model-artifacts/heart-failure/1/model.onnx', {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const cells = Float32Array.from(Array.from({ length: rowsPerRun }, () => Object.values(PATIENT)).flat());
  const shape = [rowsPerRun, Object.keys(PATIENT).length];
  const feeds = { features: new ort.Tensor('float32', cells, shape) };
  let runs = 0;
  const started = performance.now();
  while (performance.now() - started < seconds * 1000) {
    await session.run(feeds, ['probabilities']);
    runs++;
  }
  const elapsed = (performance.now() - started) / 1000;
  await session.release();
  return (runs * rowsPerRun) / elapsed;
}

/** The last of the service's statements that recorded, and rows for it as they were recorded. */
export class RecordStatement {
  private constructor(
    private readonly databaseUrl: string,
    private readonly text: string,
    private readonly row: string,
  ) {}

  /** Which program runs it. */
  readonly program =
    spawnSync('pgbench', ['--version']).status === 0 ? 'pgbench' : 'a loop of our own (no pgbench on PATH)';

  /** As PostgreSQL has it at the moment: its settings must let it keep the whole text. */
  static async read(databaseUrl: string): Promise<RecordStatement> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      const statements = await client.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND query LIKE '%json_to_recordset($1)%' AND query LIKE '%INTO requests%'
         ORDER BY query_start DESC LIMIT 1`,
      );
      const rows = await client.query<{ row: string }>(
        `SELECT (to_jsonb(requests) || to_jsonb(responses)
                 - '{id,request_id,created_datetime,updated_datetime}'::text[])::text AS row
         FROM requests JOIN responses ON responses.request_id = requests.id ORDER BY requests.id DESC LIMIT 1`,
      );
      if (statements.rows.length === 0 || rows.rows.length === 0)
        throw new Error('nothing has been recorded yet');
      return new RecordStatement(databaseUrl, statements.rows[0]!.query, rows.rows[0]!.row);
    } finally {
      await client.end();
    }
  }

  /** One connection that does nothing else, as the service's recorder has. @returns rows a second */
  async run(rowsPerCommit: number, seconds: number): Promise<number> {
    const rows = `[${Array.from({ length: rowsPerCommit }, () => this.row).join(',')}]`;
    return this.program === 'pgbench'
      ? rowsPerCommit * (await this.pgbench(rows, seconds))
      : rowsPerCommit * (await this.loop(rows, seconds));
  }

  private async pgbench(rows: string, seconds: number): Promise<number> {
    const { hostname, port, username, password, pathname } = new URL(this.databaseUrl);
    const folder = mkdtempSync(join(tmpdir(), 'foretell-pgbench-'));
    try {
      const script = join(folder, 'record.sql');
      writeFileSync(script, `${this.text.replaceAll('$1', ':rows')};\n`);
      const duration = String(Math.max(1, Math.round(seconds)));
      const { stdout } = await promisify(execFile)(
        'pgbench',
        ['-n', '-c', '1', '-M', 'prepared', '-T', duration, '-D', `rows=${rows}`, '-f', script],
        {
          env: {
            PATH: process.env.PATH,
            PGHOST: hostname,
            PGPORT: port,
            PGUSER: decodeURIComponent(username),
            PGPASSWORD: decodeURIComponent(password),
            PGDATABASE: pathname.slice(1),
          },
        },
      );
      return Number(/tps = ([\d.]+)/.exec(stdout)![1]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  private async loop(rows: string, seconds: number): Promise<number> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      let commits = 0;
      const started = performance.now();
      for (; performance.now() - started < seconds * 1000; commits++) {
        await client.query({ name: 'record', text: this.text, values: [rows] });
      }
      return commits / ((performance.now() - started) / 1000);
    } finally {
      await client.end();
    }
  }
}

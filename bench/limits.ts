/** The limits of any service of this kind: the commit alone, the record's statement alone, the model alone. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import { BinaryArrays } from '../libs/database/src/index.js';
import type { PredictionRecord } from '../libs/audit/src/index.js';
import { insertOf } from '../libs/audit/src/record-statements.js';
import { PATIENT } from '../test/support/client.js';
import { median, withClient } from './run.js';

/** One row in, one commit, over a connection of its own. @returns the median in ms */
export async function bareCommit(databaseUrl: string, commits: number): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    await client.query('CREATE TABLE IF NOT EXISTS bare_commit (body jsonb)');
    const times: number[] = [];
    for (let index = 0; index < commits; index++) {
      const started = performance.now();
      await client.query({ name: 'bare', text: 'INSERT INTO bare_commit VALUES ($1)', values: [PATIENT] });
      times.push(performance.now() - started);
    }
    return median(times);
  });
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

/**
 * The record over one dedicated connection, like that of the service's recorder: the recorder's own statement
 * in a loop of ours, and pgbench, if it is on the PATH, with the same rows from another table, so that none
 * has to be sent and read.
 */
export class RecordLimit {
  readonly hasPgbench = spawnSync('pgbench', ['--version']).status === 0;

  private constructor(
    private readonly databaseUrl: string,
    private readonly record: PredictionRecord,
  ) {}

  /** @throws if nothing has been recorded yet */
  static async open(databaseUrl: string): Promise<RecordLimit> {
    return withClient(databaseUrl, async (client) => {
      await client.query(`
        CREATE TABLE IF NOT EXISTS bench_rows AS
        SELECT user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns,
               status_code, output, duration_ms
        FROM (SELECT * FROM requests ORDER BY id DESC LIMIT 1) AS request
        JOIN responses ON responses.request_id = request.id, generate_series(1, ${MOST_ROWS})`);
      const { rows } = await client.query<PredictionRecord>(`
        SELECT user_id AS "userId", request_uuid AS "requestUuid", model, model_version AS "modelVersion", dialect,
               input::text, row_count AS "rowCount", ignored_columns AS "ignoredColumns", status_code AS "statusCode",
               output::text, duration_ms AS "durationMs"
        FROM bench_rows LIMIT 1`);
      return new RecordLimit(databaseUrl, rows[0]!);
    });
  }

  /** @returns rows a second */
  async pgbench(rowsPerCommit: number, seconds: number): Promise<number> {
    const script = join(mkdtempSync(join(tmpdir(), 'foretell-pgbench-')), 'record.sql');
    writeFileSync(script, pgbenchScript(rowsPerCommit));
    const duration = String(Math.max(1, Math.round(seconds)));
    const options = ['-n', '-c', '1', '-M', 'prepared', '-T', duration, '-f', script, this.databaseUrl];
    const { stdout } = await promisify(execFile)('pgbench', options);
    return Number(/tps = ([\d.]+)/.exec(stdout)![1]) * rowsPerCommit;
  }

  /** @returns rows a second */
  async loop(rowsPerCommit: number, seconds: number): Promise<number> {
    const records = Array.from({ length: rowsPerCommit }, () => this.record);
    const arrays = new BinaryArrays();
    return withClient(this.databaseUrl, async (client) => {
      const { rows } = await client.query<{ id: number }>(
        `INSERT INTO writers (uuid, process, backend_pid, backend_start)
         VALUES (gen_random_uuid(), 'bench', pg_backend_pid(), now()) RETURNING id`,
      );
      const writer = rows[0]!.id;
      let commits = 0;
      const started = performance.now();
      for (; performance.now() - started < seconds * 1000; commits++)
        await client.query(insertOf(records, { writer, seq: commits + 1 }, arrays));
      return (commits * rowsPerCommit) / ((performance.now() - started) / 1000);
    });
  }
}

/** The recorder's largest batch. */
const MOST_ROWS = 500;

const pgbenchScript = (rowsPerCommit: number) => `
WITH record AS MATERIALIZED (
  SELECT nextval('requests_id_seq') AS id, * FROM (SELECT * FROM bench_rows LIMIT ${rowsPerCommit}) AS bench_rows
), request AS (
  INSERT INTO requests (id, user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns)
  SELECT id, user_id, request_uuid, model, model_version, dialect, input, row_count, ignored_columns FROM record
), response AS (
  INSERT INTO responses (request_id, status_code, output, duration_ms)
  SELECT id, status_code, output, duration_ms FROM record
)
SELECT id FROM record ORDER BY id;
`;

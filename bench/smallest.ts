/**
 * The smallest program that answers and records in shared commits: Fastify, ONNX Runtime and two plain tables. It checks
 * nothing (no token, no input, no limit, no failure) and so shows what everything else in the service costs.
 */
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import pg from 'pg';
import { loadConfig } from '../libs/config/src/index.js';
import { formatFloat32 } from '../libs/inference/src/index.js';
import { PATIENT } from '../test/support/client.js';

interface Recorded {
  input: string;
  output: string;
  done(): void;
}

const config = loadConfig();
const COLUMNS = Object.keys(PATIENT);
const session = await InferenceSession.create(`${config.modelDir}/heart-failure/1/model.onnx`, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const [INPUT, [LABEL, PROBABILITIES]] = [session.inputNames[0]!, session.outputNames as [string, string]];

const client = await new pg.Client({ connectionString: config.databaseUrl }).connect();
await client.query(`
  CREATE TABLE IF NOT EXISTS smallest_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer, input jsonb, created timestamptz DEFAULT now());
  CREATE TABLE IF NOT EXISTS smallest_responses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request_id bigint, output jsonb, created timestamptz DEFAULT now())`);
const INSERT = `
  WITH record AS (
    SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS record (input, output, place)
  ), request AS (
    INSERT INTO smallest_requests (user_id, input) SELECT 1, input::jsonb FROM record ORDER BY place RETURNING id
  )
  INSERT INTO smallest_responses (request_id, output)
  SELECT request.id, output::jsonb
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM request) AS request JOIN record USING (place)`;

let waiting: Recorded[] = [];
let isWriting = false;

async function write(): Promise<void> {
  isWriting = true;
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    const values = [batch.map(({ input }) => input), batch.map(({ output }) => output)];
    await client.query({ name: 'record', text: INSERT, values });
    for (const { done } of batch) done();
  }
  isWriting = false;
}

function record(input: string, output: string): Promise<void> {
  return new Promise((done) => {
    waiting.push({ input, output, done });
    if (!isWriting) void write();
  });
}

const server = new FastifyAdapter().getInstance();
server.post<{ Body: Record<string, unknown> }>('/predict', async ({ body }) => {
  const row = Float32Array.from(COLUMNS, (name) => Number(body[name]));
  const outputs = await session.run({ [INPUT]: new Tensor('float32', row, [1, COLUMNS.length]) });
  const answer = {
    yhat_prob: formatFloat32(Number(outputs[PROBABILITIES]!.data[1])),
    yhat: String(outputs[LABEL]!.data[0]),
  };
  await record(JSON.stringify(body), JSON.stringify(answer));
  return answer;
});
const url = await server.listen({ port: 0, host: '127.0.0.1' });
process.send?.({ url });
process.on('SIGTERM', () => process.exit(0));

/**
 * `npm run bench`: requests per second and latency of POST /predict, side by side in one run.
 *
 * The variants take turns, round after round, so that what else the machine does falls on all of them; each figure
 * is the median of its rounds. `--quick` makes the rounds short, to see that everything runs.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startApi, type ApiProcess } from '../support/api-process.js';
import { PATIENT } from '../support/client.js';
import { openBenchDatabase } from './bench-database.js';
import { load, type Figures } from './load.js';

const QUICK = process.argv.includes('--quick');
const ROUNDS = QUICK ? 1 : 5;
const SECONDS = QUICK ? 1 : 4;
const CONNECTIONS = [1, 16, 64];
const JWT_SECRET = 'a secret for the bench alone, of 32 bytes or more';

const PREDICTION = { path: '/predict', body: JSON.stringify(PATIENT) };

const progress = (text: string) => process.stderr.write(`${text}\n`);
const script = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const database = await openBenchDatabase();
const stopping: (() => Promise<unknown>)[] = [];
try {
  await bench();
} finally {
  for (const stop of stopping.toReversed()) await stop();
  await database.close();
}

async function bench(): Promise<void> {
  const environment = { DATABASE_URL: database.url, JWT_SECRET };
  const start = async (name: string, extra: object = {}): Promise<ApiProcess> => {
    const api = await startApi(
      { ...environment, ...extra },
      name === 'recorded' ? {} : { script: script(name) },
    );
    stopping.push(api.stop);
    return api;
  };
  const apis = {
    recorded: await start('recorded'),
    unrecorded: await start('unrecorded'),
    'one commit each, on Express': await start('one-commit-each'),
  };
  const token = await createToken(apis.recorded);

  const rounds = new Map<string, Figures[]>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const connections of CONNECTIONS) {
      for (const [name, api] of Object.entries(apis)) {
        const figures = await load({ url: api.url, token, connections, seconds: SECONDS, ...PREDICTION });
        const key = `${name} ${connections}`;
        rounds.set(key, [...(rounds.get(key) ?? []), figures]);
        progress(
          `round ${round}/${ROUNDS}  ${connections} connections  ${name}: ${Math.round(figures.perSecond)}/s`,
        );
      }
    }
  }
  const summary = (name: string, connections: number): Omit<Figures, 'count'> => {
    const all = rounds.get(`${name} ${connections}`)!;
    return {
      perSecond: median(all.map(({ perSecond }) => perSecond)),
      p50: median(all.map(({ p50 }) => p50)),
      p99: median(all.map(({ p99 }) => p99)),
    };
  };

  console.log(
    '| connections | variant | requests/s | p50 ms | p99 ms | of unrecorded | times one commit each |',
  );
  console.log('|---|---|---|---|---|---|---|');
  for (const connections of CONNECTIONS) {
    const unrecorded = summary('unrecorded', connections).perSecond;
    const single = summary('one commit each, on Express', connections).perSecond;
    for (const name of Object.keys(apis)) {
      const { perSecond, p50, p99 } = summary(name, connections);
      console.log(
        `| ${connections} | ${name} | ${Math.round(perSecond)} | ${p50.toFixed(2)} | ${p99.toFixed(2)} ` +
          `| ${((perSecond / unrecorded) * 100).toFixed(0)} % | ${(perSecond / single).toFixed(1)} |`,
      );
    }
  }

  const commit = await bareCommit();
  const added = summary('recorded', 1).p50 - summary('unrecorded', 1).p50;
  console.log(
    `\nAt one connection the record adds ${added.toFixed(2)} ms (p50); a bare commit takes ${commit.toFixed(2)} ms.`,
  );
  console.log(
    `Cold start on an initialised database, to the first answered prediction: ${(await coldStart()).toFixed(2)} s.`,
  );
}

async function createToken(api: ApiProcess): Promise<string> {
  const body = JSON.stringify({ username: 'bench', password: 'bench', email: 'bench@example.org' });
  const headers = { 'content-type': 'application/json' };
  await fetch(`${api.url}/register-user`, { method: 'POST', headers, body });
  const response = await fetch(`${api.url}/token`, { method: 'POST', headers, body });
  return ((await response.json()) as { token: string }).token;
}

/** One row in, one commit, over a connection of its own. */
async function bareCommit(): Promise<number> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE IF NOT EXISTS bare_commit (body jsonb)');
  const times: number[] = [];
  for (let index = 0; index < (QUICK ? 300 : 2000); index++) {
    const started = performance.now();
    await client.query({ name: 'bare', text: 'INSERT INTO bare_commit VALUES ($1)', values: [PATIENT] });
    times.push(performance.now() - started);
  }
  await client.query('DROP TABLE bare_commit');
  await client.end();
  return median(times);
}

/** Process start, embedded PostgreSQL start, model load, one prediction: with a data folder that exists already. */
async function coldStart(): Promise<number> {
  const folder = join(database.folder, 'cold');
  const environment = { DATA_DIR: folder, JWT_SECRET };
  const first = await startApi(environment);
  const token = await createToken(first);
  await first.stop();
  const started = performance.now();
  const second = await startApi(environment);
  const response = await fetch(`${second.url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(PATIENT),
  });
  if (!response.ok) throw new Error(`cold start: ${response.status}`);
  const seconds = (performance.now() - started) / 1000;
  await second.stop();
  return seconds;
}

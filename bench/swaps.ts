/**
 * `npm run bench:swaps`: a model is replaced while it serves: requests and memory over promotions back and forth.
 *
 * Twenty under load, beside as long a load without any; then two hundred one after another, under the load that one
 * caller makes, with the service's memory after each ten. `--quick` makes it short, to see that everything runs.
 */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { startApi, type ApiProcess } from '../test/support/api-process.js';
import { call, createUser, PATIENT } from '../test/support/client.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { load, type Figures } from './load.js';

const QUICK = process.argv.includes('--quick');
const CONNECTIONS = 32;
const UNDER_LOAD = QUICK ? 4 : 20;
const SWAPS = QUICK ? 20 : 200;
const SAMPLE_EVERY = 10;

const progress = (text: string) => process.stderr.write(`${text}\n`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const database = await openOwnPostgres();
const stopping: (() => Promise<unknown>)[] = [];
try {
  await bench();
} finally {
  for (const stop of stopping.toReversed()) await stop();
  await database.close();
}

async function bench(): Promise<void> {
  const modelDir = join(database.folder, 'models');
  cpSync('model-artifacts/heart-failure/1', join(modelDir, 'heart-failure/1'), { recursive: true });
  // Its answers are as long as those of version 1.
  cpSync('test/support/foreign-models/heart-failure-2', join(modelDir, 'heart-failure/2'), {
    recursive: true,
  });
  const api = await startApi({ DATABASE_URL: database.url, MODEL_DIR: modelDir });
  stopping.push(api.stop);
  const token = await createAdminToken(api);
  const promote = promoter(api, token);
  const loadFor = (options: { seconds: number } | { until: AbortSignal }, connections = CONNECTIONS) =>
    load({ url: api.url, path: '/predict', token, body: JSON.stringify(PATIENT), connections, ...options });

  await loadFor({ seconds: QUICK ? 1 : 5 });
  const started = performance.now();
  const swapping = await during(
    (until) => loadFor({ until }),
    () => promote(UNDER_LOAD),
  );
  const seconds = (performance.now() - started) / 1000;
  const steady = await loadFor({ seconds });
  console.log(
    '| 32 connections | requests answered | failures | p50 ms | p99 ms | promotion p50 ms | max ms |',
  );
  console.log('|---|---|---|---|---|---|---|');
  console.log(`| without promotions | ${summary(steady)} | | |`);
  console.log(`| with ${UNDER_LOAD} promotions | ${summary(swapping.figures)} | ${times(swapping.work)} |`);

  console.log('\n| swaps | RSS MB | promotion p50 ms | max ms |');
  console.log('|---|---|---|---|');
  await sleep(2_000);
  console.log(`| 0 | ${rssMb(api)} | | |`);
  const { figures } = await during(
    (until) => loadFor({ until }, 1),
    async () => {
      for (let swaps = SAMPLE_EVERY; swaps <= SWAPS; swaps += SAMPLE_EVERY) {
        const taken = await promote(SAMPLE_EVERY);
        console.log(`| ${swaps} | ${rssMb(api)} | ${times(taken)} |`);
      }
    },
  );
  console.log(
    `\nMeanwhile one caller: ${figures.count} requests answered, 0 failures, p99 ${figures.p99.toFixed(2)} ms.`,
  );
}

/** A load that lasts as long as the work. It throws at the first wrong answer. */
async function during<T>(run: (until: AbortSignal) => Promise<Figures>, work: () => Promise<T>) {
  const end = new AbortController();
  const running = run(end.signal);
  const failed = running.then(() => new Promise<never>(() => undefined));
  const done = await Promise.race([work(), failed]).finally(() => end.abort());
  return { figures: await running, work: done };
}

/** To the other version and back, so many times. @returns how long each took, in milliseconds */
function promoter(api: ApiProcess, token: string): (count: number) => Promise<number[]> {
  let version = '2';
  return async (count) => {
    const taken: number[] = [];
    for (let index = 0; index < count; index++) {
      version = version === '1' ? '2' : '1';
      const started = performance.now();
      const answer = await call(api, 'PUT', '/models/heart-failure/aliases/production', {
        body: { version },
        token,
      });
      if (answer.status !== 200 || answer.body.processes.serving !== 1) throw new Error(answer.text);
      taken.push(performance.now() - started);
      progress(`version ${version}: ${taken.at(-1)!.toFixed(0)} ms`);
    }
    return taken;
  };
}

async function createAdminToken(api: ApiProcess): Promise<string> {
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  const query = async <Row extends object>(sql: string, values?: unknown[]) =>
    (await pool.query(sql, values)).rows as Row[];
  try {
    return (await createUser(api, { query }, 'admin')).token;
  } finally {
    await pool.end();
  }
}

/** Every page of the process that is in memory, as Linux counts it. */
function rssMb({ process: { pid } }: ApiProcess): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return Math.round(Number(kilobytes) / 1024);
}

function summary({ count, p50, p99 }: Figures): string {
  return `${count} | 0 | ${p50.toFixed(2)} | ${p99.toFixed(2)}`;
}

function times(taken: readonly number[]): string {
  const sorted = taken.toSorted((a, b) => a - b);
  return `${sorted[Math.floor(sorted.length / 2)]!.toFixed(0)} | ${sorted.at(-1)!.toFixed(0)}`;
}

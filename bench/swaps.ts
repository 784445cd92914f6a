/**
 * `npm run bench:swaps`: a model is replaced while it serves: requests and memory over promotions back and forth.
 *
 * Twenty under load, beside an equally long load without any; then two hundred in a row, under the load that one
 * caller makes, with the service's memory after every ten. `--quick` makes it short, to check that everything runs.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApi, type ApiProcess } from '../test/support/api-process.js';
import { call, createUser } from '../test/support/client.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { memoryMb } from '../test/support/process-tree.js';
import { load, PREDICT, type Figures } from './load.js';
import {
  benchCommand,
  median,
  progress,
  readOptions,
  runBench,
  table,
  withClient,
  type Cell,
} from './run.js';

const { quick } = readOptions(benchCommand('bench:swaps', 'A model is replaced while it serves.'), 1);
const CONNECTIONS = 32;
const UNDER_LOAD = quick ? 4 : 20;
const SWAPS = quick ? 20 : 200;
const SAMPLE_EVERY = 10;

await runBench(async ({ folder, ending }) => {
  const database = await ending(openOwnPostgres(), ({ close }) => close());
  const modelDir = join(folder, 'models');
  cpSync('model-artifacts/heart-failure/1', join(modelDir, 'heart-failure/1'), { recursive: true });
  // Its answers have the same length as those of version 1.
  cpSync('test/support/foreign-models/heart-failure-2', join(modelDir, 'heart-failure/2'), {
    recursive: true,
  });
  const environment = { DATABASE_URL: database.url, MODEL_DIR: modelDir };
  const api = await ending(startApi(environment), ({ stop }) => stop());
  const { token } = await withClient(database.url, (client) => {
    const query = async (sql: string, values?: unknown[]) =>
      (await client.query(sql, values)).rows as never[];
    return createUser(api, { query }, 'admin');
  });
  const promote = promoter(api, token);
  const loadFor = (options: { seconds: number } | { until: AbortSignal }, connections = CONNECTIONS) =>
    load({ url: api.url, token, connections, ...PREDICT, ...options });

  await loadFor({ seconds: quick ? 1 : 5 });
  const started = performance.now();
  const swapping = await during(
    (until) => loadFor({ until }),
    () => promote(UNDER_LOAD),
  );
  const seconds = (performance.now() - started) / 1000;
  const steady = await loadFor({ seconds });
  console.log(
    table(
      ['32 connections', 'requests answered', 'failures', 'p50 ms', 'p99 ms', 'promotion p50 ms', 'max ms'],
      [
        ['without promotions', ...summary(steady), '', ''],
        [`with ${UNDER_LOAD} promotions`, ...summary(swapping.figures), ...times(swapping.work)],
      ],
    ),
  );

  await sleep(2_000);
  const rows: Cell[][] = [[0, rssMb(api), '', '']];
  const { figures } = await during(
    (until) => loadFor({ until }, 1),
    async () => {
      for (let swaps = SAMPLE_EVERY; swaps <= SWAPS; swaps += SAMPLE_EVERY) {
        const taken = await promote(SAMPLE_EVERY);
        rows.push([swaps, rssMb(api), ...times(taken)]);
      }
    },
  );
  console.log(`\n${table(['swaps', 'RSS MB', 'promotion p50 ms', 'max ms'], rows)}`);
  console.log(
    `\nMeanwhile one caller: ${figures.count} requests answered, 0 failures, p99 ${figures.p99.toFixed(2)} ms.`,
  );
});

/** A load that lasts as long as the work. It throws at the first wrong answer. */
async function during<T>(run: (until: AbortSignal) => Promise<Figures>, work: () => Promise<T>) {
  const end = new AbortController();
  const running = run(end.signal);
  const failed = running.then(() => new Promise<never>(() => undefined));
  const done = await Promise.race([work(), failed]).finally(() => end.abort());
  return { figures: await running, work: done };
}

/** To the other version and back, this many times. @returns how long each took, in milliseconds */
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

/** Every page of the process that is in memory, as Linux counts it. */
function rssMb({ process: { pid } }: ApiProcess): number {
  return Math.round(memoryMb(pid!));
}

function summary({ count, p50, p99 }: Figures): Cell[] {
  return [count, 0, p50.toFixed(2), p99.toFixed(2)];
}

function times(taken: readonly number[]): Cell[] {
  return [median(taken), Math.max(...taken)].map((ms) => ms.toFixed(0));
}

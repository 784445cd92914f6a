/**
 * `npm run bench:processes`: POST /predict with one and with two processes (WEB_CONCURRENCY), recorded and unrecorded,
 * and what there is too little of: whose processor time it takes, and what PostgreSQL is at. Linux only.
 *
 * The variants take turns, round after round; each figure is the median of its rounds. `--quick` makes the rounds
 * short, to see that everything runs; `--rounds <n>` says how many.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import pg from 'pg';
import { startApi, type ApiProcess } from '../test/support/api-process.js';
import { createUser, PATIENT } from '../test/support/client.js';
import { openOwnPostgres, type OwnPostgres } from '../test/support/own-postgres.js';
import { watchCommits, type CommitWaits } from './commit-waits.js';
import { load, type Figures } from './load.js';
import { CORES, measureProcessorTime, type Usage } from './processor-time.js';

const options = new Command('bench:processes')
  .option('--quick', 'short rounds')
  .option('--rounds <n>', 'how many', wholeNumber)
  .parse()
  .opts<{ quick?: true; rounds?: number }>();
const ROUNDS = options.rounds ?? (options.quick ? 1 : 5);
const SECONDS = options.quick ? 1 : 4;
const CONNECTIONS = [64, 256];
const PROCESSES = [1, 2];
const RECORDS = ['recorded', 'unrecorded'] as const;
const JWT_SECRET = 'a secret for the bench alone, of 32 bytes or more';
const UNRECORDED = fileURLToPath(new URL('./unrecorded.js', import.meta.url));

type Sample = Figures & CommitWaits & Usage<'service' | 'postgres' | 'generator'>;

const database = await openOwnPostgres();
const stopping: (() => Promise<unknown>)[] = [];
try {
  await bench(database);
} finally {
  for (const stop of stopping.toReversed()) await stop();
  await database.close();
}

async function bench({ url: DATABASE_URL, folder }: OwnPostgres): Promise<void> {
  const start = async (record: (typeof RECORDS)[number], processes: number): Promise<ApiProcess> => {
    const environment = { DATABASE_URL, JWT_SECRET, WEB_CONCURRENCY: String(processes) };
    const api = await startApi(environment, record === 'recorded' ? {} : { script: UNRECORDED });
    stopping.push(api.stop);
    return api;
  };
  const variants = [];
  for (const record of RECORDS)
    for (const processes of PROCESSES)
      variants.push({ record, processes, api: await start(record, processes) });
  const { token } = await createUser(variants[0]!.api, { query: async () => [] });
  const postgres = Number.parseInt(readFileSync(join(folder, 'postgres/postmaster.pid'), 'utf8'), 10);

  const observer = new pg.Client({ connectionString: DATABASE_URL });
  await observer.connect();
  stopping.push(() => observer.end());

  const samples = new Map<string, Sample[]>();
  const keyOf = (connections: number, record: string, processes: number) =>
    `${connections} connections, ${record}, ${processes} processes`;
  for (let round = 1; round <= ROUNDS; round++) {
    for (const connections of CONNECTIONS) {
      for (const { record, processes, api } of variants) {
        const measure = measureProcessorTime({ service: api.process.pid!, postgres });
        const watch = watchCommits(observer);
        const own = process.cpuUsage();
        const startedAt = performance.now();
        const figures = await load({
          url: api.url,
          token,
          connections,
          seconds: SECONDS,
          path: '/predict',
          body: JSON.stringify(PATIENT),
        });
        const { user, system } = process.cpuUsage(own);
        // Our children are the services: ours is only what this process used itself.
        const generator = (user + system) / 1000 / (performance.now() - startedAt);
        const sample = { ...figures, ...measure(), generator, ...(await watch()) };
        const key = keyOf(connections, record, processes);
        samples.set(key, [...(samples.get(key) ?? []), sample]);
        process.stderr.write(`round ${round}/${ROUNDS}  ${key}: ${Math.round(sample.perSecond)}/s\n`);
      }
    }
  }

  const figure = (key: string, of: (sample: Sample) => number) => {
    const sorted = samples
      .get(key)!
      .map(of)
      .toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)]!;
  };
  console.log(
    `Processor time in processors: 1.00 is one all the time, this machine has ${CORES}; "others" is what else ran.\n` +
      `Inserting: the share of the time in which a batch of records was on its way through PostgreSQL; flushing: in\n` +
      `which one waited for the write-ahead log to be on the disk.\n`,
  );
  console.log(
    '| connections | variant | processes | requests/s | times one | p50 ms | p99 ms | service | PostgreSQL | load generator | others | idle | service µs/request | PostgreSQL µs/request | inserting | flushing |',
  );
  console.log(`|${'---|'.repeat(16)}`);
  for (const connections of CONNECTIONS) {
    for (const { record, processes } of variants) {
      const key = keyOf(connections, record, processes);
      const perSecond = figure(key, (each) => each.perSecond);
      const alone = figure(keyOf(connections, record, 1), (each) => each.perSecond);
      const others = (each: Sample) =>
        Math.max(0, each.machine - each.service - each.postgres - each.generator);
      const cells = [
        connections,
        record,
        processes,
        Math.round(perSecond),
        (perSecond / alone).toFixed(2),
        figure(key, (each) => each.p50).toFixed(2),
        figure(key, (each) => each.p99).toFixed(2),
        ...[
          (each: Sample) => each.service,
          (each: Sample) => each.postgres,
          (each: Sample) => each.generator,
          others,
          (each: Sample) => Math.max(0, CORES - each.machine),
        ].map((of) => figure(key, of).toFixed(2)),
        ...[
          (each: Sample) => (each.service / each.perSecond) * 1e6,
          (each: Sample) => (each.postgres / each.perSecond) * 1e6,
        ].map((of) => figure(key, of).toFixed(1)),
        ...[(each: Sample) => each.inserting, (each: Sample) => each.flushing].map(
          (of) => `${(figure(key, of) * 100).toFixed(0)} %`,
        ),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}

function wholeNumber(value: string): number {
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It is no whole number from 1 on.');
}

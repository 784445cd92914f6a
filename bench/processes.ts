/**
 * `npm run bench:processes`: POST /predict with one and with two processes (WEB_CONCURRENCY), recorded and unrecorded,
 * and the bottleneck: which process uses processor time, and what PostgreSQL waits for. Linux only.
 *
 * The variants take turns, round after round; each figure is the median of its rounds. `--quick` makes the rounds
 * short, to check that everything runs; `--rounds <n>` sets their number.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApi, type ApiProcess } from '../test/support/api-process.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { watchCommits, type CommitWaits } from './commit-waits.js';
import { load, PREDICT, type Figures } from './load.js';
import { createToken } from './peers/peers.js';
import { CORES, measureProcessorTime, type Usage } from './processor-time.js';
import { benchCommand, connect, progress, readOptions, Rounds, runBench, table } from './run.js';

const command = benchCommand('bench:processes', 'One process and two, and what there is too little of.');
const { rounds: ROUNDS, seconds: SECONDS } = readOptions(command, 5);
const CONNECTIONS = [64, 256];
const PROCESSES = [1, 2];
const RECORDS = ['recorded', 'unrecorded'] as const;
const JWT_SECRET = 'a secret for the bench alone, of 32 bytes or more';
const UNRECORDED = fileURLToPath(new URL('./unrecorded.js', import.meta.url));

const HEAD =
  'connections | variant | processes | requests/s | times one | p50 ms | p99 ms | service | PostgreSQL | load generator | others | idle | service µs/request | PostgreSQL µs/request | inserting | flushing'.split(
    ' | ',
  );

await runBench(async ({ ending }) => {
  const { url: DATABASE_URL, folder } = await ending(openOwnPostgres(), ({ close }) => close());
  const start = (record: (typeof RECORDS)[number], processes: number): Promise<ApiProcess> => {
    const environment = { DATABASE_URL, JWT_SECRET, WEB_CONCURRENCY: String(processes) };
    const options = record === 'recorded' ? {} : { script: UNRECORDED };
    return ending(startApi(environment, options), ({ stop }) => stop());
  };
  const variants: { record: string; processes: number; api: ApiProcess }[] = [];
  for (const record of RECORDS)
    for (const processes of PROCESSES)
      variants.push({ record, processes, api: await start(record, processes) });
  const token = await createToken(variants[0]!.api.url);
  const postgres = Number.parseInt(readFileSync(join(folder, 'postgres/postmaster.pid'), 'utf8'), 10);

  const observer = await ending(connect(DATABASE_URL), (client) => client.end());

  const samples = new Rounds<ReturnType<typeof sampleOf>>();
  const keyOf = (connections: number, record: string, processes: number) =>
    `${connections} connections, ${record}, ${processes} processes`;
  for (let round = 1; round <= ROUNDS; round++) {
    for (const connections of CONNECTIONS) {
      for (const { record, processes, api } of variants) {
        const measure = measureProcessorTime({ service: api.process.pid!, postgres });
        const watch = watchCommits(observer);
        const own = process.cpuUsage();
        const startedAt = performance.now();
        const figures = await load({ url: api.url, token, connections, seconds: SECONDS, ...PREDICT });
        const { user, system } = process.cpuUsage(own);
        // Our children are the services: ours is only what this process used itself.
        const generator = (user + system) / 1000 / (performance.now() - startedAt);
        const key = keyOf(connections, record, processes);
        samples.add(sampleOf({ ...figures, ...measure(), generator, ...(await watch()) }), key);
        progress(`round ${round}/${ROUNDS}  ${key}: ${Math.round(figures.perSecond)}/s`);
      }
    }
  }

  console.log(
    `Processor time in processors: 1.00 is one all the time, this machine has ${CORES}; "others" is what else ran.\n` +
      `Inserting: the share of the time in which a batch of records was on its way through PostgreSQL; flushing: in\n` +
      `which one waited for the write-ahead log to be on the disk.\n`,
  );
  const rows = CONNECTIONS.flatMap((connections) =>
    variants.map(({ record, processes }) => {
      const sample = samples.median(keyOf(connections, record, processes))!;
      const { perSecond, service, postgres, generator, others, idle } = sample;
      return [
        connections,
        record,
        processes,
        Math.round(perSecond),
        (perSecond / samples.median(keyOf(connections, record, 1))!.perSecond).toFixed(2),
        ...[sample.p50, sample.p99, service, postgres, generator, others, idle].map((each) =>
          each.toFixed(2),
        ),
        ...[sample.serviceMicros, sample.postgresMicros].map((each) => each.toFixed(1)),
        ...[sample.inserting, sample.flushing].map((share) => `${(share * 100).toFixed(0)} %`),
      ];
    }),
  );
  console.log(table(HEAD, rows));
});

function sampleOf(measured: Figures & CommitWaits & Usage<'service' | 'postgres' | 'generator'>) {
  const { machine, service, postgres, generator, perSecond } = measured;
  return {
    ...measured,
    others: Math.max(0, machine - service - postgres - generator),
    idle: Math.max(0, CORES - machine),
    serviceMicros: (service / perSecond) * 1e6,
    postgresMicros: (postgres / perSecond) * 1e6,
  };
}

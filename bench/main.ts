/**
 * `npm run bench`: POST /predict of the heart-failure model, Foretell beside its usual alternatives.
 *
 * The variants take turns, round after round, so that other work on the machine affects all of them; each figure
 * is the median of its rounds. A peer that cannot be installed or started is named with the reason, and the rest is
 * measured. Progress on standard error, the tables on standard output.
 */
import { availableParallelism, cpus } from 'node:os';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { coldStart } from './cold-start.js';
import { LimitRounds } from './limit-rounds.js';
import { load } from './load.js';
import { comparison, goals, limitsTable } from './report.js';
import { Measurement, type Samples } from './rounds.js';
import { aboveZero, benchCommand, progress, readOptions, Rounds, runBench } from './run.js';
import { createBenchUser, startVariant, VARIANTS, type Variant, type VariantName } from './variants.js';

const NAMES = Object.keys(VARIANTS) as VariantName[];

const command = benchCommand('bench', 'Foretell, its peers and its limits, side by side in one run.')
  .option('--only <names...>', `some of ${NAMES.join(', ')}`)
  .option('--connections <counts...>', 'how many callers at once', (value, all: number[] = []) => [
    ...all,
    aboveZero(value),
  ])
  .option('--no-limits', 'neither ONNX Runtime nor PostgreSQL alone, nor a cold start');
const options = readOptions<{ only?: string[]; connections?: number[]; limits: boolean }>(command, 3);
const { rounds: ROUNDS, seconds: SECONDS } = options;
const CONNECTIONS = options.connections ?? [1, 16, 64, 256];
const CHOSEN = (options.only ?? NAMES) as VariantName[];
const strangers = CHOSEN.filter((name) => !NAMES.includes(name));
if (strangers.length > 0) {
  console.error(`There is no ${strangers.join(', ')}. There are: ${NAMES.join(', ')}.`);
  process.exit(2);
}

await runBench(async ({ folder, ending }) => {
  // The tutorial has a connection for each of its threads.
  const database = await ending(openOwnPostgres({ max_connections: '200' }), ({ close }) => close());
  const { url: databaseUrl, createDatabase } = database;
  const token = await createBenchUser(databaseUrl);
  const measurement = await ending(Measurement.open(databaseUrl), (opened) => opened.close());
  const variants: Variant[] = [];
  const absent: string[] = [];
  for (const name of NAMES.filter((each) => CHOSEN.includes(each))) {
    try {
      progress(`${VARIANTS[name]}: starting`);
      const starting = startVariant(name, { databaseUrl, token, folder, createDatabase });
      variants.push(await ending(starting, (variant) => variant.stop()));
    } catch (error) {
      absent.push(`${VARIANTS[name]} is not measured: ${reasonOf(error)}`);
      progress(absent.at(-1)!);
    }
  }
  if (variants.length === 0) throw new Error('nothing to measure');
  progress('every one of them says 0.5124506; warming up');
  for (const { target } of variants)
    await load({ ...target, connections: 16, seconds: options.quick ? 0.5 : 2 });

  const samples: Samples = new Rounds();
  const limits = new LimitRounds(databaseUrl, SECONDS);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const connections of CONNECTIONS) {
      for (const variant of variants) {
        const sample = await measurement.run(variant, connections, SECONDS);
        samples.add(sample, variant.name, connections);
        progress(
          `round ${round}/${ROUNDS}  ${connections} connections  ${VARIANTS[variant.name]}: ` +
            `${Math.round(sample.perSecond)}/s, p50 ${sample.p50.toFixed(2)} ms`,
        );
        if (options.limits && sample.rowsPerCommit) await limits.record(connections, sample.rowsPerCommit);
      }
    }
    if (options.limits) await limits.others();
  }

  console.log(comparison(samples, CONNECTIONS));
  if (absent.length > 0) console.log(`\n${absent.map((reason) => `- ${reason}`).join('\n')}`);
  if (options.limits) console.log(`\n${limitsTable(samples, limits.figures())}`);
  console.log(`\n${goals(samples, options.limits ? limits.figures().bareCommitMs : undefined)}`);
  if (options.limits) {
    const seconds = await coldStart(folder);
    console.log(`\nCold start on an initialised database, to the first prediction: ${seconds.toFixed(2)} s.`);
  }
  console.log(
    `\n${availableParallelism()} cores (${cpus()[0]?.model.trim()}), Node ${process.version}, median of ${ROUNDS} ` +
      `interleaved rounds of ${SECONDS} s.`,
  );
});

/** The last error message in a program's output. */
function reasonOf(error: unknown): string {
  const lines = (error as Error).message.split('\n').filter((line) => line.trim() !== '');
  const last = lines.slice(1).findLast((line) => /error/i.test(line)) ?? '';
  return `${lines[0]} ${last}`.trim();
}

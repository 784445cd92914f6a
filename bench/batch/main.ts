/**
 * `npm run bench:batch`: rows per second and memory of `foretell predict`, side by side with
 * `mlflow models predict`, with the cost of only reading, parsing and writing the file, and with the bare loop of
 * ONNX Runtime on prepared tensors.
 *
 * The variants take turns, round after round; each figure is the median of its rounds. Seconds are from the start of
 * the command to its end, except for the bare loop, which has no start. `--rows` and `--rounds` set the numbers;
 * `--ten-times` adds ten times the rows of heart-failure, once, for the memory; `--quick` makes it short, to check that
 * everything runs. The first time it installs MLflow with pip.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkAgreement } from './agreement.js';
import { generate, TABLE_NAMES, type TableName } from './generate.js';
import { measuredRun, type Run } from '../measured-run.js';
import { installMlflow, type Mlflow } from '../mlflow.js';
import {
  aboveZero,
  benchCommand,
  progress,
  readOptions,
  Rounds,
  runBench,
  table,
  type Cell,
} from '../run.js';

const command = benchCommand('bench:batch', 'Rows a second and memory of foretell predict.')
  .option('--rows <count>', 'of each table', aboveZero)
  .option('--ten-times', 'ten times the rows of heart-failure as well, once, for the memory');
const options = readOptions<{ rows?: number; tenTimes?: true }>(command, 5);
const { rounds: ROUNDS } = options;
const ROWS = options.rows ?? (options.quick ? 20_000 : 1_000_000);
const THREADS = availableParallelism();
/** With fewer rows a column may have no empty cell; MLflow then reads whole numbers and refuses them. */
const FEWEST_ROWS = 10_000;
if (ROWS < FEWEST_ROWS) throw new Error(`--rows is at least ${FEWEST_ROWS}`);

const CLI = 'dist/apps/cli/src/main.js';
const script = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const artifact = (table: TableName) => `model-artifacts/${table}/1`;
const HEAD =
  'table | variant | rows/s | seconds | processor s | peak MB | times MLflow | of parse-only | of the bare loop'.split(
    ' | ',
  );

let folder: string;
await runBench(async (place) => {
  folder = place.folder;
  const mlflow = await installMlflow(folder);
  const rows: Cell[][] = [];
  for (const name of TABLE_NAMES) rows.push(...(await compare(name, mlflow)));
  if (options.tenTimes) rows.push(...(await tenTimes(mlflow)));
  console.log(table(HEAD, rows));
});

async function compare(table: TableName, mlflow: Mlflow): Promise<Cell[][]> {
  const input = await generated(table, ROWS);
  const output = (name: string) => join(folder, `${table}-${name}`);
  const parseOnly = (threads: number) => () =>
    measuredRun(process.execPath, [script('parse-only'), input, output('parse-only.csv'), String(threads)]);
  const bareLoop = (threads: number) => async () => {
    const parts = [script('onnx-loop'), artifact(table), input, ROWS, threads].map(String);
    const run = await measuredRun(process.execPath, parts);
    return { ...run, seconds: Number(run.stdout), cpuSeconds: NaN };
  };
  const all = `${THREADS} threads`;
  const variants: Record<string, () => Promise<Run>> = {
    'foretell predict': () => foretell(table, input, output('foretell.csv')),
    'mlflow models predict': () => mlflow.predict(table, input, output('mlflow.json')),
    'parse-only, 1 thread': parseOnly(1),
    [`parse-only, ${all}`]: parseOnly(THREADS),
    'bare loop, 1 thread': bareLoop(1),
    [`bare loop, ${all}`]: bareLoop(THREADS),
  };

  const rounds = new Rounds<Omit<Run, 'stdout'>>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const { stdout: _, ...figures } = await run();
      rounds.add(figures, name);
      progress(
        `round ${round}/${ROUNDS}  ${table}  ${name}: ${figures.seconds.toFixed(2)} s, ${figures.peakMb.toFixed(0)} MB`,
      );
    }
    if (round === 1) await checkAgreement(input, output('foretell.csv'), output('mlflow.json'));
  }

  return Object.keys(variants).map((name) => {
    const run = rounds.median(name)!;
    const beside = (other: string) => rounds.median(other)!.seconds / run.seconds;
    return [
      ...figuresOf(table, name, ROWS, run),
      beside('mlflow models predict').toFixed(1),
      `${(beside(`parse-only, ${all}`) * 100).toFixed(0)} %`,
      `${(beside(`bare loop, ${all}`) * 100).toFixed(0)} %`,
    ];
  });
}

function figuresOf(table: string, name: string, rows: number, run: Omit<Run, 'stdout'>): Cell[] {
  const { seconds, cpuSeconds, peakMb } = run;
  const processor = Number.isNaN(cpuSeconds) ? '' : cpuSeconds.toFixed(2);
  return [table, name, Math.round(rows / seconds), seconds.toFixed(2), processor, peakMb.toFixed(0)];
}

/** Whether memory grows with the file. */
async function tenTimes(mlflow: Mlflow): Promise<Cell[][]> {
  const input = await generated('heart-failure', 10 * ROWS);
  const runs = {
    'foretell predict': await foretell('heart-failure', input, join(folder, 'ten-times.csv')),
    'mlflow models predict': await mlflow.predict('heart-failure', input, join(folder, 'ten-times.json')),
  };
  return Object.entries(runs).map(([name, run]) => [
    ...figuresOf('heart-failure, ten times the rows', name, 10 * ROWS, run),
    (runs['mlflow models predict'].seconds / run.seconds).toFixed(1),
    '',
    '',
  ]);
}

function foretell(table: TableName, input: string, output: string): Promise<Run> {
  return measuredRun(process.execPath, [CLI, 'predict', '-m', artifact(table), '-i', input, '-o', output]);
}

async function generated(table: TableName, rows: number): Promise<string> {
  const path = join(folder, `${table}-${rows}.csv`);
  await generate(table, rows, path);
  progress(`generated ${rows} rows of ${table}, ${((await stat(path)).size / 1024 ** 2).toFixed(0)} MB`);
  return path;
}

/**
 * `npm run bench:batch`: rows per second and memory of `foretell predict`, side by side with
 * `mlflow models predict`, with what one would write with polars or pandas (heart-failure alone: the other model takes
 * texts), with the cost of only reading, parsing and writing the file, and with the bare loop of ONNX Runtime on
 * prepared tensors. Heart-failure is read and written as Parquet, too, as pandas writes it.
 *
 * The variants take turns, round after round; each figure is the median of its rounds. Seconds are from the start of
 * the command to its end, except for the bare loop, which has no start. `--rows` and `--rounds` set the numbers;
 * `--ten-times` adds ten times the rows of heart-failure, once, for the memory; `--quick` makes it short, to check that
 * everything runs. The first time it installs MLflow, polars and pandas with pip.
 */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
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
const ALL_THREADS = `${THREADS} threads`;
/** With fewer rows a column may have no empty cell; MLflow then reads whole numbers and refuses them. */
const FEWEST_ROWS = 10_000;
if (ROWS < FEWEST_ROWS) throw new Error(`--rows is at least ${FEWEST_ROWS}`);

const CLI = 'dist/apps/cli/src/main.js';
const script = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
const DATAFRAMES = ['polars', 'pandas'] as const;
const DATAFRAME_SCRIPT = 'bench/batch/dataframe_onnx.py';
/** Fails unless two files have the same rows and answers. */
const SAME = `
import sys, numpy, pandas
read = pandas.read_csv if sys.argv[1].endswith(".csv") else pandas.read_parquet
ours, theirs = map(read, sys.argv[1:])
assert numpy.allclose(ours.yhat_prob, theirs.yhat_prob, rtol=1e-6), "other probabilities"
assert ours[theirs.columns].drop(columns="yhat_prob").astype(float).equals(theirs.drop(columns="yhat_prob").astype(float)), "other rows"
`;
const artifact = (table: TableName) => `model-artifacts/${table}/1`;
const HEAD =
  'table | variant | rows/s | seconds | processor s | peak MB | of polars | times MLflow | of parse-only | of the bare loop'.split(
    ' | ',
  );

let folder: string;
await runBench(async (place) => {
  folder = place.folder;
  const mlflow = await installMlflow(folder);
  const rows: Cell[][] = [];
  for (const name of TABLE_NAMES) rows.push(...(await compare(name, mlflow)));
  rows.push(...(await compareParquet(mlflow)));
  if (options.tenTimes) rows.push(...(await tenTimes(mlflow)));
  console.log(table(HEAD, rows));
});

async function compare(table: TableName, mlflow: Mlflow): Promise<Cell[][]> {
  const input = await generated(table, ROWS);
  const output = (name: string) => join(folder, `${table}-${name}`);
  const dataframes =
    table === 'heart-failure' ? dataframeVariants(mlflow, input, (name) => output(`${name}.csv`)) : {};
  const parseOnly = (threads: number) => () =>
    measuredRun(process.execPath, [script('parse-only'), input, output('parse-only.csv'), String(threads)]);
  const bareLoop = (threads: number) => async () => {
    const parts = [script('onnx-loop'), artifact(table), input, ROWS, threads].map(String);
    const run = await measuredRun(process.execPath, parts);
    return { ...run, seconds: Number(run.stdout), cpuSeconds: NaN };
  };
  const variants: Record<string, () => Promise<Run>> = {
    'foretell predict': () => foretell(table, input, output('foretell.csv')),
    ...dataframes,
    'mlflow models predict': () => mlflow.predict(table, input, output('mlflow.json')),
    'parse-only, 1 thread': parseOnly(1),
    [`parse-only, ${ALL_THREADS}`]: parseOnly(THREADS),
    'bare loop, 1 thread': bareLoop(1),
    [`bare loop, ${ALL_THREADS}`]: bareLoop(THREADS),
  };

  return inTurns(table, variants, async () => {
    await checkAgreement(input, output('foretell.csv'), output('mlflow.json'));
    for (const name of Object.keys(dataframes))
      await checkSame(mlflow, output('foretell.csv'), output(`${name}.csv`));
  });
}

/** As pandas writes it: one row group for a million rows. */
async function compareParquet(mlflow: Mlflow): Promise<Cell[][]> {
  const input = join(folder, `heart-failure-${ROWS}.parquet`);
  const output = (name: string) => join(folder, `heart-failure-${name}.parquet`);
  await python(
    mlflow,
    'import sys, pandas; pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2], index=False)',
    input.replace('.parquet', '.csv'),
    input,
  );
  const dataframes = dataframeVariants(mlflow, input, output);
  const variants = {
    'foretell predict': () => foretell('heart-failure', input, output('foretell')),
    ...dataframes,
  };
  return inTurns('heart-failure, Parquet', variants, async () => {
    for (const name of Object.keys(dataframes)) await checkSame(mlflow, output('foretell'), output(name));
  });
}

/** Whole commands, from the start of Python to its end. */
function dataframeVariants(
  { bin }: Mlflow,
  input: string,
  output: (name: string) => string,
): Record<string, () => Promise<Run>> {
  const model = resolvePath(artifact('heart-failure'), 'model.onnx');
  return Object.fromEntries(
    DATAFRAMES.map((library) => {
      const name = `${library} + onnxruntime`;
      const parts = [DATAFRAME_SCRIPT, library, model, input, output(name)];
      return [name, () => measuredRun(join(bin, 'python'), parts)];
    }),
  );
}

/** @throws unless both files have the same rows and answers */
async function checkSame(mlflow: Mlflow, ours: string, theirs: string): Promise<void> {
  await python(mlflow, SAME, ours, theirs);
}

function python({ bin }: Mlflow, program: string, ...args: string[]): Promise<Run> {
  return measuredRun(join(bin, 'python'), ['-c', program, ...args]);
}

/** Each variant once a round, `check` after the first. */
async function inTurns(
  table: string,
  variants: Record<string, () => Promise<Run>>,
  check: () => Promise<void>,
): Promise<Cell[][]> {
  const rounds = new Rounds<Omit<Run, 'stdout'>>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const { stdout: _, ...figures } = await run();
      rounds.add(figures, name);
      progress(
        `round ${round}/${ROUNDS}  ${table}  ${name}: ${figures.seconds.toFixed(2)} s, ${figures.peakMb.toFixed(0)} MB`,
      );
    }
    if (round === 1) await check();
  }

  return Object.keys(variants).map((name) => {
    const run = rounds.median(name)!;
    const beside = (other: string, format: (ratio: number) => string) =>
      other in variants ? format(rounds.median(other)!.seconds / run.seconds) : '';
    const percent = (ratio: number) => `${(ratio * 100).toFixed(0)} %`;
    return [
      ...figuresOf(table, name, ROWS, run),
      beside('polars + onnxruntime', percent),
      beside('mlflow models predict', (ratio) => ratio.toFixed(1)),
      beside(`parse-only, ${ALL_THREADS}`, percent),
      beside(`bare loop, ${ALL_THREADS}`, percent),
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
    '',
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

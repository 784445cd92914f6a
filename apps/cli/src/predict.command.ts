import { constants } from 'node:os';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  FILE_FORMATS,
  formatOfName,
  scoreFile,
  ScoringInterrupted,
  type FileFormat,
  type ScoringOrder,
} from '#libs/scoring';
import { showScoring } from './progress.js';

/** In addition to 0 (every row was scored), 1 (the run failed) and 2 (wrong arguments). */
const SOME_ROWS_HAVE_AN_ERROR = 3;

interface PredictOptions {
  model: string;
  input: string;
  output: string;
  format?: FileFormat;
  outputFormat?: FileFormat;
  errors?: string;
  strict?: boolean;
  resume?: boolean;
  threads?: number;
  quiet?: boolean;
}

export function predictCommand(): Command {
  const format = (flags: string, of: string) => new Option(`${flags} <format>`, of).choices(FILE_FORMATS);
  return new Command('predict')
    .description('score the rows of a file: each keeps its columns and gets its prediction or its error')
    .requiredOption('-m, --model <model>', 'the folder of an artifact, or models:/name/3, models:/name@alias')
    .option('-i, --input <file>', 'CSV, TSV, JSON Lines or Parquet, also .gz; - is standard input', '-')
    .option('-o, --output <file>', 'gets its final name when it is complete; - is standard output', '-')
    .addOption(format('--format', "the input's format, if its name does not say"))
    .addOption(
      format(
        '--output-format',
        "the output's format, if its name does not say; by default that of the input",
      ),
    )
    .option('--errors <file>', 'write rows with an error to this file instead of the output')
    .option('--strict', 'stop at the first row with an error')
    .option('--resume', 'continue a run that was killed or interrupted')
    .option('--threads <number>', 'threads that score; by default one per core', threadCount)
    .option('--quiet', 'do not show progress')
    .addHelpText(
      'after',
      '\nEnds with 0 if every row was scored, 3 if some rows have an error, 1 if the run failed.',
    )
    .action(predict);
}

async function predict(options: PredictOptions, command: Command): Promise<void> {
  const order = readOrder(options, (message) => command.error(`error: ${message}`));
  const interruption = interruptOnSignal();
  const progress = showScoring(options.quiet);
  try {
    const { rows, errors, resumedRows } = await scoreFile({
      ...order,
      model: await folderOf(options.model),
      signal: interruption.signal,
      onProgress: progress.update,
    });
    progress.stop(rows, resumedRows);
    if (errors === 0) return;
    process.exitCode = SOME_ROWS_HAVE_AN_ERROR;
    const where =
      options.errors === undefined ? 'the column error says what is wrong' : `they are in ${options.errors}`;
    if (!options.quiet) console.error(`${errors} of ${rows} rows could not be scored; ${where}.`);
  } catch (error) {
    progress.stop();
    if (!(error instanceof ScoringInterrupted) && !interruption.signal.aborted) throw error;
    process.exitCode = interruption.exitCode;
    console.error(
      [options.input, options.output].includes('-')
        ? 'Interrupted.'
        : 'Interrupted. Continue with the same command and --resume.',
    );
  } finally {
    // Its writer may keep it open for a long time.
    if (options.input === '-') process.stdin.destroy();
  }
}

type Refuse = (message: string) => never;

function readOrder(options: PredictOptions, refuse: Refuse): Omit<ScoringOrder, 'model'> {
  const { input, output, errors, resume, strict, threads } = options;
  const named = {
    input: formatOfName(input),
    output: formatOfName(output),
    errors: formatOfName(errors ?? ''),
  };
  const inputFormat = options.format ?? named.input.format;
  if (inputFormat === undefined) {
    refuse(
      `${input === '-' ? 'standard input' : `the name ${input}`} does not tell its format. ` +
        `Name it: --format ${FILE_FORMATS.join(', ')}`,
    );
  }
  const outputFormat = options.outputFormat ?? named.output.format ?? inputFormat;
  const errorsFormat = named.errors.format ?? outputFormat;
  if (
    (outputFormat === 'parquet' && named.output.gzip) ||
    (errorsFormat === 'parquet' && named.errors.gzip)
  ) {
    refuse('Parquet is already compressed: drop the .gz');
  }
  if (resume && (input === '-' || output === '-')) refuse('only a run from a file to a file can be resumed');
  if (errors === '-') refuse('rows with an error need a file: --errors <file>');
  const files = [input, output, errors].filter((file) => file !== undefined && file !== '-') as string[];
  if (new Set(files.map((file) => resolve(file))).size < files.length) {
    refuse('input, output and errors must be different files');
  }
  return {
    input: { path: input === '-' ? undefined : input, format: inputFormat },
    output: { path: output === '-' ? undefined : output, format: outputFormat, gzip: named.output.gzip },
    errorsOutput:
      errors === undefined ? undefined : { path: errors, format: errorsFormat, gzip: named.errors.gzip },
    resume,
    strict,
    threads,
  };
}

/** A folder is used as it is; a URI needs the registry, and with it the database. */
async function folderOf(model: string): Promise<string> {
  if (!model.startsWith('models:/')) return model;
  const [{ withFeatures }, { ModelRegistry, parseModelReference, RegisterVersion }] = await Promise.all([
    import('./command-context.js'),
    import('#libs/models'),
  ]);
  return withFeatures(async (features) => {
    // As the service does when it starts: no service may have started yet.
    const { failures, warnings } = await features.get(RegisterVersion).registerFound();
    for (const told of [...failures, ...warnings]) console.error(told);
    const registry = features.get(ModelRegistry);
    return registry.folderOf(await registry.resolve(parseModelReference(model)));
  });
}

/** The first signal ends the run so that it can be resumed, a second one ends it at once. */
function interruptOnSignal(): { signal: AbortSignal; readonly exitCode: number } {
  const controller = new AbortController();
  const interruption = { signal: controller.signal, exitCode: 1 };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interruption.exitCode = 128 + constants.signals[signal];
      controller.abort();
      // Input that may never come is not waited for.
      process.stdin.destroy();
    });
  }
  return interruption;
}

function threadCount(value: string): number {
  if (/^[1-9]\d{0,2}$/.test(value)) return Number(value);
  throw new InvalidArgumentError('It must be a whole number from 1 to 999.');
}

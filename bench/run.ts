/** The base of every bench: it reports progress, keeps the samples of its rounds, prints tables and cleans up. */
import { Command, InvalidArgumentError } from 'commander';
import pg from 'pg';
import { openRunFolder } from '../test/support/run-folder.js';

export interface Place {
  /** A folder for files; removed afterwards. */
  readonly folder: string;
  /** Started processes, ended with the bench, the last first. */
  ending<T>(starting: Promise<T>, end: (started: T) => unknown): Promise<T>;
}

const startedAt = performance.now();

export function progress(text: string): void {
  process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
}

/** However it ends, it leaves no process and no folder. */
export async function runBench(bench: (place: Place) => Promise<void>): Promise<void> {
  const run = openRunFolder();
  const undoing: (() => unknown)[] = [];
  try {
    await bench({
      folder: run.path,
      ending: async (starting, end) => {
        const started = await starting;
        undoing.push(() => end(started));
        return started;
      },
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    for (const undo of undoing.toReversed()) await undo();
    await run.close();
  }
}

/** The options that every bench has. */
interface BenchOptions {
  rounds: number;
  seconds: number;
  quick?: true;
}

export function benchCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--rounds <count>', 'how often each is measured', aboveZero)
    .option('--seconds <count>', 'how long each time', aboveZero)
    .option('--quick', 'little of everything, to see that it runs');
}

/** With --quick each is measured once, for a second, unless set otherwise. */
export function readOptions<Others = object>(command: Command, rounds: number): BenchOptions & Others {
  const given = command.parse().opts<{ quick?: true } & Others>();
  return { rounds: given.quick ? 1 : rounds, seconds: given.quick ? 1 : 4, ...given };
}

export function aboveZero(value: string): number {
  const number = Number(value);
  if (!(number > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return number;
}

/** Every sample of every variant. */
export class Rounds<Sample extends object, Key extends (string | number)[] = [name: string]> {
  private readonly samples = new Map<string, Sample[]>();

  add(sample: Sample, ...key: Key): void {
    const name = key.join(' ');
    this.samples.set(name, [...(this.samples.get(name) ?? []), sample]);
  }

  /** Each figure the median of its rounds; undefined if nothing was measured. */
  median(...key: Key): Sample | undefined {
    const samples = this.samples.get(key.join(' '));
    if (!samples) return undefined;
    const figures = Object.keys(samples[0]!) as (keyof Sample)[];
    const medians = figures.map((figure) => [
      figure,
      median(samples.map((sample) => sample[figure] as number)),
    ]);
    return Object.fromEntries(medians) as Sample;
  }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

export type Cell = string | number;

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(url);
  return work(client).finally(() => client.end());
}

export function connect(url: string): Promise<pg.Client> {
  return new pg.Client({ connectionString: url }).connect();
}

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import Papa from 'papaparse';
import { beforeEach, expect } from 'vitest';
import { formatOfName, scoreFile, type ScoringOrder, type ScoringResult } from '#libs/scoring';
import { PATIENT } from './client.js';
import type { DataDir, Ending } from './data-dir.js';
import { createFolderForThisTest } from './folders.js';
import { createDataDir } from './test-data-dir.js';

export const HEART_FAILURE = 'model-artifacts/heart-failure/1';
export const CALIFORNIA_HOUSING = 'model-artifacts/california-housing/1';
/** Answers x as a number plus log y; fails for an x that is not a number, and answers NaN for a negative y. */
export const FRAGILE = 'test/support/foreign-models/fragile';

export const COLUMNS = Object.keys(PATIENT);
export const PATIENT_COLUMNS = COLUMNS.join();
/** The tutorial's patient, whose probability is 0.5124506. */
export const PATIENT_ROW = Object.values(PATIENT).join();

/** A folder for files that are scored; without a database or a service. */
export class ScoringPlace {
  private readonly folder = createFolderForThisTest();

  private constructor(readonly dataDir: DataDir) {}

  static create(): ScoringPlace {
    return new ScoringPlace(createDataDir());
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** @returns its path */
  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  bytes(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  read(name: string): string {
    return this.bytes(name).toString('utf8');
  }

  lines(name: string): string[] {
    return this.read(name).trimEnd().split('\n');
  }

  /** The rows of a JSON Lines file. */
  objects(name: string): Record<string, unknown>[] {
    return this.lines(name).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Rows of a CSV file, header included. */
  table(name: string): string[][] {
    return rowsOf(this.read(name));
  }

  /** Options for input and output files here. */
  fromTo(input: string, output: string, ...others: string[]): string[] {
    return ['-i', this.path(input), '-o', this.path(output), ...others];
  }

  files(): string[] {
    return readdirSync(this.folder).toSorted();
  }
}

/** The place of the current test: each has its own. */
export let place: ScoringPlace;

beforeEach(() => {
  place = ScoringPlace.create();
});

/** `foretell predict …` with the tutorial's model, unless another is named; it never needs a database. */
export async function predict(args: string[], input?: string): Promise<Ending> {
  const model = args.includes('-m') ? [] : ['-m', HEART_FAILURE];
  const ending = await place.dataDir.foretell(['predict', ...model, ...args], { input });
  expect(existsSync(place.dataDir.path)).toBe(false);
  return ending;
}

/** Does the work of `foretell predict` in this process: from one file here to another, on one thread by default. */
export function score(from: string, to: string, others: Partial<ScoringOrder> = {}): Promise<ScoringResult> {
  const of = (name: string) => ({ path: place.path(name), format: formatOfName(name).format! });
  return scoreFile({ model: HEART_FAILURE, input: of(from), output: of(to), threads: 1, ...others });
}

/** The error with which `score` refuses a file; checks that nothing of it is left. */
export async function refusalOf(...scoring: Parameters<typeof score>): Promise<string> {
  const before = place.files();
  const error = await score(...scoring).then(
    () => undefined,
    (error: Error) => error,
  );
  expect(error?.constructor.name).toBe('InputError');
  expect(place.files()).toEqual(before);
  return error!.message;
}

/** It must score every row silently. @returns standard output */
export async function scored(args: string[], input?: string): Promise<string> {
  const ending = await predict([...args, '--quiet'], input);
  expect(ending, ending.stderr).toMatchObject({ code: 0, stderr: '' });
  return ending.stdout;
}

/** The same for a CSV text. @returns the output */
export async function scoredText(text: string, ...args: string[]): Promise<string> {
  place.write('given.csv', text);
  await scored(place.fromTo('given.csv', 'scored.csv', ...args));
  return place.read('scored.csv');
}

interface Refusal {
  code?: number;
  input?: string;
}

/** It must end with one line that says why, and leave the existing files. @returns the line */
export async function refused(args: string[], { code = 1, input }: Refusal = {}): Promise<string> {
  const before = place.files();
  // A run of more than two seconds prints its progress: on a busy machine that would be a second line.
  const ending = await predict(code === 1 ? [...args, '--quiet'] : args, input);
  expect(ending, ending.stderr).toMatchObject({ code, stdout: '' });
  if (code === 1) expect(ending.stderr).toMatch(/^[^\n]+\n$/);
  expect(ending.stderr).not.toMatch(/^\s+at /m);
  expect(place.files()).toEqual(before);
  return ending.stderr;
}

export function rowsOf(csv: string): string[][] {
  return Papa.parse<string[]>(csv, { delimiter: ',', skipEmptyLines: true }).data;
}

/** Patients of all kinds, always the same ones, with a few missing values. */
export function patients(count: number): string[] {
  const rows: string[] = [];
  let state = 1;
  const random = (limit: number) => (state = (state * 48271) % 2147483647) % limit;
  for (let row = 0; row < count; row++) {
    const age = random(50) === 0 ? '' : 40 + random(55);
    rows.push(
      `${age},${random(8000)},${14 + random(66)},${25100 + random(800000)},${(0.5 + random(90) / 10).toFixed(1)},` +
        `${113 + random(35)},${random(2)},${random(2)}`,
    );
  }
  return rows;
}

export function parquetOf(columns: Record<string, (number | null)[]>, rowGroupSize?: number): Buffer {
  return Buffer.from(
    parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({ name, data, type: 'DOUBLE' as const })),
      rowGroupSize,
    }),
  );
}

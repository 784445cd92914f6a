import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import {
  COLUMNS,
  parquetOf,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  refused,
  scored,
  place,
} from '../support/scoring-place.js';

const HEADER = `${PATIENT_COLUMNS}\n`;
const ROW = `${PATIENT_ROW}\n`;
const ADDED = ['yhat_prob', 'yhat', 'error'];

describe('nothing to score is not an error: a complete output without rows', () => {
  const INPUTS: [string, string | Buffer][] = [
    ['empty.csv', ''],
    ['header.csv', HEADER],
    ['header-without-end.csv', PATIENT_COLUMNS],
    ['blank.csv', `${HEADER}\n\n`],
    ['empty.tsv', '\uFEFF'],
    ['empty.jsonl', ''],
    ['blank.jsonl', '\n\n'],
    ['rows.parquet', parquetOf(Object.fromEntries(COLUMNS.map((name) => [name, []])))],
    ['empty.csv.gz', gzipSync('')],
  ];

  test.each(INPUTS)('%s', async (name, content) => {
    place.write(name, content);
    await scored(place.fromTo(name, 'out.csv'));
    const columns = name === 'blank.jsonl' ? ADDED : [...COLUMNS, ...ADDED];
    expect(place.read('out.csv')).toBe(`${columns.join(',')}\n`);
  });

  test('in every output format', async () => {
    place.write('in.csv', '');
    const columns = [...COLUMNS, ...ADDED];
    for (const format of ['tsv', 'jsonl', 'parquet', 'csv.gz', 'jsonl.gz']) {
      await scored(place.fromTo('in.csv', `out.${format}`));
    }
    expect(place.read('out.tsv')).toBe(`${columns.join('\t')}\n`);
    expect(place.read('out.jsonl')).toBe('');
    for (const format of ['csv', 'jsonl']) execFileSync('gzip', ['-t', place.path(`out.${format}.gz`)]);
    const file = await asyncBufferFromFile(place.path('out.parquet'));
    expect(await parquetReadObjects({ file })).toEqual([]);
    const { schema } = await parquetMetadataAsync(file);
    expect(schema.slice(1).map(({ name }) => name)).toEqual(columns);
  });
});

describe('wrong arguments: exit code 2, nothing is written', () => {
  const ARGUMENTS: [string, string[], RegExp][] = [
    [
      'no format to be known',
      ['-i', 'in.txt', '-o', 'out.csv'],
      /in\.txt does not tell its format\. .*--format csv, tsv, jsonl, parquet/,
    ],
    ['standard input without a format', ['-o', 'out.csv'], /standard input does not tell its format/],
    ['an unknown format', ['--format', 'xlsx'], /Allowed choices are csv, tsv, jsonl, parquet/],
    ['a name such as every object has', ['-i', 'in.constructor'], /does not tell its format/],
    ['one file twice', ['-i', 'in.csv', '-o', './in.csv'], /must be different files/],
    [
      'one file for rows and errors',
      ['-i', 'in.csv', '-o', 'out.csv', '--errors', 'out.csv'],
      /different files/,
    ],
    [
      'errors on standard output',
      ['-i', 'in.csv', '-o', 'out.csv', '--errors', '-'],
      /rows with an error need a file/,
    ],
    ['--resume from standard input', ['--format', 'csv', '-o', 'out.csv', '--resume'], /can be resumed/],
    ['--resume into standard output', ['-i', 'in.csv', '--resume'], /can be resumed/],
    ['Parquet in gzip', ['-i', 'in.csv', '-o', 'out.parquet.gz'], /drop the \.gz/],
    ['--threads 0', ['-i', 'in.csv', '--threads', '0'], /must be a whole number from 1 to 999/],
    ['--threads many', ['-i', 'in.csv', '--threads', 'many'], /must be a whole number from 1 to 999/],
    ['an unknown option', ['-i', 'in.csv', '--fast'], /unknown option '--fast'/],
    ['an argument too many', ['in.csv'], /too many arguments/],
  ];

  test.each(ARGUMENTS)('%s', async (_, args, says) => {
    place.write('in.csv', HEADER + ROW);
    const named = args.map((arg) => (/^\.?[^-].*\./.test(arg) ? `${place.path('.')}/${arg}` : arg));
    expect(await refused(named, { code: 2 })).toMatch(says);
  });

  test('no model', async () => {
    const { code, stdout, stderr } = await place.dataDir.foretell(['predict', '-i', place.path('in.csv')]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/required option '-m, --model <model>' not specified/);
  });
});

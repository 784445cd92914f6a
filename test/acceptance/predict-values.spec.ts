import { cpSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { MISSING_VALUES } from '#libs/inference';
import { editJson } from '../support/artifacts.js';
import { PATIENT } from '../support/client.js';
import {
  COLUMNS as NAMES,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  rowsOf,
  score,
  place,
} from '../support/scoring-place.js';

vi.setConfig({ testTimeout: 60_000 });

const COLOURS = 'test/support/foreign-models/tensor-per-column';
const CELLS = PATIENT_ROW.split(',');

/** The cells of each row by their columns. */
function cellsOf(csv: string, delimiter = ','): Record<string, string>[] {
  const [header, ...rows] = rowsOf(csv.replaceAll(delimiter, ','));
  return rows.map((row) => Object.fromEntries(header!.map((name, index) => [name, row[index]!])));
}

describe('U+FEFF', () => {
  test('at the beginning of a cell belongs to it, wherever the file is cut', async () => {
    const rows = Array.from({ length: 100_000 }, (_, row) => `\uFEFFpatient ${row},${PATIENT_ROW}`);
    place.write('in.csv', `name,${PATIENT_COLUMNS}\n${rows.join('\n')}\n`);
    // CSV writes the text that was read; TSV and JSON Lines write each cell anew.
    for (const to of ['csv', 'tsv', 'jsonl']) {
      await score('in.csv', `out.${to}`);
      const lines = place.read(`out.${to}`).split('\n');
      const begins = to === 'jsonl' ? '{"name":"\uFEFFpatient ' : '\uFEFFpatient ';
      const found = lines.filter((line) => line.replace(/^"/, '').startsWith(begins));
      expect(found).toHaveLength(rows.length);
    }
  });

  test.each(['csv', 'tsv', 'jsonl'])(
    'at the beginning of %s is the mark of the file alone',
    async (format) => {
      const delimiter = format === 'tsv' ? '\t' : ',';
      const text =
        format === 'jsonl'
          ? `${JSON.stringify(PATIENT)}\n`
          : `${[NAMES, CELLS].map((row) => row.join(delimiter)).join('\n')}\n`;
      place.write(`in.${format}`, `\uFEFF${text}`);
      expect(await score(`in.${format}`, `out.${format}`)).toMatchObject({ rows: 1, errors: 0 });
      expect(place.read(`out.${format}`).startsWith(text.slice(0, 5))).toBe(true);
      // And there is only one.
      place.write(`in.${format}`, `\uFEFF\uFEFF${text}`);
      if (format !== 'jsonl') await expect(score(`in.${format}`, `out.${format}`)).rejects.toThrow(/lacks/);
    },
  );
});

describe('a word that pandas writes or reads as a missing value', () => {
  test.each(['csv', 'tsv'])('is missing in %s, and stays unchanged in the output', async (format) => {
    const delimiter = format === 'tsv' ? '\t' : ',';
    const words = [...MISSING_VALUES];
    const rows = words.map((word) => [`is ${word}`, word, ...CELLS.slice(1, 6), word, word]);
    place.write(
      `in.${format}`,
      [['note', ...NAMES], ...rows].map((row) => `${row.join(delimiter)}\n`).join(''),
    );
    expect(await score(`in.${format}`, `out.${format}`)).toMatchObject({
      rows: words.length,
      errors: 0,
    });
    const found = cellsOf(place.read(`out.${format}`), delimiter);
    expect(found.map(({ age }) => age)).toEqual(words);
    expect(found.map(({ sex }) => sex)).toEqual(words);
    // All of them are answered like an empty cell.
    expect(new Set(found.map(({ yhat_prob }) => yhat_prob)).size).toBe(1);
    expect(found[0]!.yhat_prob).toMatch(/^0\.\d+$/);
  });

  test('is not missing if quoted with a space, spelt differently, or in a column without missing values', async () => {
    const others = [' NA', 'Na', 'NAN', 'nil', '-', 'Null', 'none', 'Infinity', '-inf', 'missing'];
    place.write(
      'in.csv',
      `${PATIENT_COLUMNS}\n${others.map((word) => `${[word, ...CELLS.slice(1)].join(',')}\n`).join('')}`,
    );
    expect(await score('in.csv', 'out.csv')).toMatchObject({ errors: others.length });
    place.write('in.csv', 'sepal_length,sepal_width,petal_length,petal_width\n5.1,NA,1.4,0.2\n');
    expect(await score('in.csv', 'out.csv', { model: 'model-artifacts/iris/1' })).toMatchObject({
      errors: 1,
    });
    expect(cellsOf(place.read('out.csv'))[0]!.error).toBe('sepal_width must not be null');
  });

  test('is a category if the column lists it, and missing in every other column of categories', async () => {
    const model = place.path('model');
    cpSync(COLOURS, model, { recursive: true });
    place.write('in.csv', 'size,rooms,colour\n1,1,red\n1,1,NA\n1,1,None\n1,1,\n');
    const errors = async () => {
      await score('in.csv', 'out.csv', { model });
      return cellsOf(place.read('out.csv')).map(({ error }) => error);
    };
    expect(await errors()).toEqual(['', ...Array.from({ length: 3 }, () => 'colour must not be null')]);
    await editJson(`${model}/input_schema.json`, (schema) => {
      schema.input_schema.columns[2].categories = ['red', 'blue', 'green', 'NA'];
      return schema;
    });
    expect(await errors()).toEqual(['', '', 'colour must not be null', 'colour must not be null']);
  });
});

describe('JSON Lines as Python writes them', () => {
  const lineOf = (value: string, note = '"NaN, Infinity: \\"-Infinity\\""') =>
    `{"note": ${note}, ${JSON.stringify({ ...PATIENT, serum_creatinine: 0 })
      .slice(1)
      .replace('"serum_creatinine":0', `"serum_creatinine": ${value}`)}\n`;

  test('a NaN is a missing value, an infinity an error of its row; both stay unchanged', async () => {
    const given = [
      lineOf('8'),
      lineOf('NaN'),
      lineOf('null'),
      lineOf('Infinity'),
      lineOf('-Infinity'),
      lineOf('nan'),
    ];
    place.write('in.jsonl', given.join(''));
    expect(await score('in.jsonl', 'out.jsonl')).toMatchObject({ rows: 6, errors: 3 });
    const lines = place.read('out.jsonl').trimEnd().split('\n');
    for (const [index, line] of given.slice(0, 5).entries()) {
      expect(lines[index]!.startsWith(line.trimEnd().slice(0, -1))).toBe(true);
    }
    const errors = lines.map((line) => /"error":(null|".*")\}$/.exec(line)![1]);
    expect(errors).toEqual([
      'null',
      'null',
      'null',
      '"serum_creatinine must fit a 32-bit floating point number"',
      '"serum_creatinine must fit a 32-bit floating point number"',
      expect.stringMatching(/line 6 is not a JSON object/),
    ]);
    const probabilities = lines.map((line) => /"yhat_prob":([^,]*),/.exec(line)![1]);
    expect(probabilities[1]).toBe(probabilities[2]);
    expect(probabilities[1]).not.toBe(probabilities[0]);

    await score('in.jsonl', 'out.csv');
    const cells = cellsOf(place.read('out.csv'));
    expect(cells.map(({ serum_creatinine }) => serum_creatinine)).toEqual([
      '8',
      '',
      '',
      'Infinity',
      '-Infinity',
      '',
    ]);
    expect(cells[1]!.note).toBe('NaN, Infinity: "-Infinity"');
  });

  test('a text of many quotes and no end takes no longer than other texts', async () => {
    place.write('in.jsonl', `{"a": NaN, "b": "${'\\"'.repeat(4_000_000)}\n${lineOf('NaN')}`);
    expect(await score('in.jsonl', 'out.jsonl')).toMatchObject({ rows: 2, errors: 1 });
  });

  test('whole numbers of many digits and texts of many quotes become cells', async () => {
    const quotes = '\\"'.repeat(3_000_000);
    place.write('in.jsonl', lineOf('8', `"${quotes}"`).replace('{', '{"id": 9007199254740993, '));
    expect(await score('in.jsonl', 'out.csv')).toMatchObject({ rows: 1, errors: 0 });
    const [cells] = cellsOf(place.read('out.csv'));
    expect([cells!.id, cells!.note!.length]).toEqual(['9007199254740993', 3_000_000]);
  });

  test('a word in quotes is a text, and an error', async () => {
    place.write('in.jsonl', [lineOf('"NaN"'), lineOf('"NA"'), lineOf('""')].join(''));
    expect(await score('in.jsonl', 'out.jsonl')).toMatchObject({ rows: 3, errors: 3 });
  });
});

test('a cell of many quotes in a file with CRLF stays unchanged', async () => {
  const cell = `"${'""'.repeat(3_000_000)}\r\n"`;
  place.write('in.csv', `note,${PATIENT_COLUMNS}\r\n${cell},${PATIENT_ROW}\r\nb "c",${PATIENT_ROW}\r\n`);
  expect(await score('in.csv', 'out.csv')).toMatchObject({ rows: 2, errors: 0 });
  const [, first, second] = rowsOf(place.read('out.csv'));
  expect(first![0] === `${'"'.repeat(3_000_000)}\r\n`).toBe(true);
  expect([second![0], second!.at(-3)]).toEqual(['b "c"', '0.5124506']);
});

import { readFileSync } from 'node:fs';
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetWriteBuffer } from 'hyparquet-writer';
import Papa from 'papaparse';
import { describe, expect, test } from 'vitest';
import { COLUMNS, parquetOf, patients, predict, refused, scored, place } from '../support/scoring-place.js';

const FORMATS = ['csv', 'tsv', 'jsonl', 'parquet'] as const;
const ROWS = patients(200).map((row) => row.split(','));
const NUMBERS = ROWS.map((row) => row.map((cell) => (cell === '' ? null : Number(cell))));

type Row = Record<string, unknown>;

/** The same rows, as they would appear in real files of each format. */
const INPUTS: Record<(typeof FORMATS)[number], () => string | Uint8Array> = {
  csv: () => [COLUMNS, ...ROWS].map((row) => `${row.join(',')}\n`).join(''),
  tsv: () => [COLUMNS, ...ROWS].map((row) => `${row.join('\t')}\r\n`).join(''),
  jsonl: () =>
    NUMBERS.map((row) =>
      JSON.stringify(Object.fromEntries(COLUMNS.map((name, index) => [name, row[index]]))),
    ).join('\n'),
  parquet: () =>
    parquetOf(
      Object.fromEntries(COLUMNS.map((name, column) => [name, NUMBERS.map((row) => row[column]!)])),
      64,
    ),
};

async function readParquet(name: string): Promise<Row[]> {
  return parquetReadObjects({ file: await asyncBufferFromFile(place.path(name)), compressors });
}

async function rowsIn(name: string): Promise<Row[]> {
  if (name.endsWith('.parquet')) return readParquet(name);
  if (name.endsWith('.jsonl')) return place.objects(name);
  const delimiter = name.endsWith('.tsv') ? '\t' : ',';
  return Papa.parse<Row>(place.read(name), { header: true, delimiter, skipEmptyLines: true }).data;
}

/** As numbers or null, whatever the format uses. */
const numbersOf = (row: Row) =>
  [...COLUMNS, 'yhat_prob', 'yhat'].map((name) =>
    row[name] === '' || row[name] === null ? null : Number(row[name]),
  );

describe.each(FORMATS)('the same rows as %s', (from) => {
  test.each(FORMATS)('into %s: the same predictions', async (to) => {
    place.write(`in.${from}`, INPUTS[from]());
    await scored(place.fromTo(`in.${from}`, `out.${to}`, '--threads', '1'));
    const found = await rowsIn(`out.${to}`);
    expect(Object.keys(found[0]!)).toEqual([...COLUMNS, 'yhat_prob', 'yhat', 'error']);
    expect(found.map(({ error }) => error || null)).toEqual(ROWS.map(() => null));
    const numbers = found.map(numbersOf);
    expect(numbers.map((row) => row.slice(0, -2))).toEqual(NUMBERS);
    predictions ??= numbers.map((row) => row.slice(-2).map((number) => Math.fround(number!)));
    expect(numbers.map((row) => row.slice(-2).map((number) => Math.fround(number!)))).toEqual(predictions);
    expect(new Set(predictions.map(([probability]) => probability)).size).toBeGreaterThan(50);
  });
});

let predictions: number[][] | undefined;

describe('Parquet', () => {
  const SUPPORT = 'test/support/parquet';
  const FILES = ['snappy', 'zstd', 'gzip', 'brotli', 'lz4', 'v2'].map((kind) => `types.${kind}.parquet`);

  test.each(FILES)('%s: every column keeps its type and its values', async (name) => {
    place.write('in.parquet', readFileSync(`${SUPPORT}/${name}`));
    await scored(place.fromTo('in.parquet', 'out.parquet', '--threads', '2'));
    // The codec's output is not tested here.
    place.write('plain.parquet', readFileSync(`${SUPPORT}/types.snappy.parquet`));
    const given = await readParquet('plain.parquet');
    const found = await readParquet('out.parquet');
    expect(found).toHaveLength(12);
    for (const [index, row] of found.entries()) {
      const { yhat_prob, yhat, error, ...kept } = row;
      expect(kept).toEqual(given[index]);
      expect([typeof yhat_prob, yhat, error]).toEqual(['number', expect.any(Number), null]);
    }
    const [before, after] = await Promise.all(
      ['in.parquet', 'out.parquet'].map(async (file) =>
        parquetSchema(await parquetMetadataAsync(await asyncBufferFromFile(place.path(file)))),
      ),
    );
    const meaning = ({ element }: SchemaTree) => [
      element.name,
      element.type,
      element.repetition_type,
      element.type_length,
      element.scale,
      element.precision,
      element.converted_type,
      // The older annotation means the same.
      element.logical_type?.type === 'INTEGER' ? undefined : element.logical_type,
    ];
    expect(after!.children.slice(0, before!.children.length).map(meaning)).toEqual(
      before!.children.map(meaning),
    );
  });

  test('as text: all digits, times as in ISO 8601, nulls and NaN as empty cells', async () => {
    place.write('in.parquet', readFileSync(`${SUPPORT}/types.snappy.parquet`));
    await scored(place.fromTo('in.parquet', 'out.csv'));
    await scored(place.fromTo('in.parquet', 'out.jsonl'));
    const rows = await rowsIn('out.csv');
    expect(rows[0]).toMatchObject({
      id: '9007199254740993',
      unsigned: '9223372036854775809',
      small: '-128',
      price: '19.99',
      seen: '2026-01-31T23:59:59.123456Z',
      measured: expect.stringMatching(/^2025-01-31T23:59:59\.123456789/),
      born: '1969-07-20',
      smokes: 'true',
      ward: 'Nord',
      nothing: '',
      age: '25',
      platelets: '500000.00',
    });
    expect(rows[1]).toMatchObject({
      ward: 'Süd, „links“\n',
      age: '',
      smokes: 'false',
      id: '9007199254740994',
    });
    expect(rows[4]).toMatchObject({
      unsigned: '',
      seen: '',
      ward: '',
      age: '',
      yhat: expect.stringMatching(/^[01]$/),
    });
    const lines = place.read('out.jsonl').split('\n');
    expect(lines[0]).toContain('"id":9007199254740993,"unsigned":9223372036854775809,');
    expect(lines[1]).toContain('"age":null');
    expect(JSON.parse(lines[4]!)).toMatchObject({ ward: null, smokes: null });
  });

  test('decimals with more digits than a number holds', async () => {
    place.write('in.parquet', readFileSync(`${SUPPORT}/types.snappy.parquet`));
    await scored(place.fromTo('in.parquet', 'out.csv'));
    const [first, second, , , none] = await rowsIn('out.csv');
    expect([first!.money, second!.money, none!.money]).toEqual(['-12345678901234567890123.45', '0.10', '']);
    expect([first!.price, second!.price]).toEqual(['19.99', '-0.01']);
    await scored(place.fromTo('in.parquet', 'out.jsonl'));
    expect(place.read('out.jsonl')).toMatch(/"money":-12345678901234567890123\.45,"price":19\.99,/);
  });

  test('96-bit times, even if nothing else in the file has a logical type', async () => {
    place.write('in.parquet', readFileSync(`${SUPPORT}/int96.parquet`));
    const columns = ['measured', 'yhat'];
    await scored(place.fromTo('in.parquet', 'out.csv'));
    expect((await rowsIn('out.csv'))[0]!.measured).toMatch(/^2025-01-31T23:59:59\.123456789/);
    await scored(place.fromTo('in.parquet', 'out.parquet'));
    const [row, , , , none] = await readParquet('out.parquet');
    expect(row!.measured).toEqual((await readParquet('in.parquet'))[0]!.measured);
    expect(columns.map((name) => none![name])).toEqual([null, expect.any(Number)]);
  });

  test('row groups larger than a chunk, smaller ones, and --errors', async () => {
    const total = 150_000;
    const ids = Int32Array.from({ length: total }, (_, id) => id);
    const sexes = Array.from(ids, (id) => (id % 1000 === 3 ? 2 : id % 2));
    const columnData = COLUMNS.map((name, index) => ({
      name,
      data:
        name === 'sex'
          ? Int32Array.from(sexes)
          : Float64Array.from(ids, (id) => (index > 5 ? id % 2 : 20 + (id % 50))),
    }));
    const columns = [{ name: 'id', data: ids }, ...columnData];
    place.write(
      'in.parquet',
      new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize: [100_000, 3, total] })),
    );
    const args = place.fromTo(
      'in.parquet',
      'out.parquet',
      '--errors',
      place.path('errors.parquet'),
      '--quiet',
    );
    expect((await predict(args)).code).toBe(3);
    const [good, bad] = await Promise.all(['out.parquet', 'errors.parquet'].map((name) => readParquet(name)));
    expect(bad).toHaveLength(total / 1000);
    for (const { id, row, error } of bad!) {
      expect([row, error]).toEqual([(id as number) + 1, expect.stringMatching(/^sex must be /)]);
    }
    const expected = [...ids].filter((id) => id % 1000 !== 3);
    expect(good!.map(({ id }) => id)).toEqual(expected);
    expect(good!.every(({ sex, id }) => sex === (id as number) % 2)).toBe(true);
  });

  test('two columns of one name: ambiguous', async () => {
    const columnData = [...COLUMNS, 'age'].map((name) => ({ name, data: Float64Array.of(1) }));
    place.write('in.parquet', new Uint8Array(parquetWriteBuffer({ columnData })));
    expect(await refused(place.fromTo('in.parquet', 'out.csv'))).toMatch(/more than one column "age"/);
  });
});

test('whole numbers of JSON Lines keep their digits as cells', async () => {
  const members = COLUMNS.map((name) => `"${name}":1`).join(',');
  place.write('in.jsonl', `{"id":9007199254740993,"price":1.10,${members}}\n`);
  await scored(place.fromTo('in.jsonl', 'out.csv'));
  expect((await rowsIn('out.csv'))[0]).toMatchObject({
    id: '9007199254740993',
    price: expect.stringMatching(/^1\.10?$/),
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Model } from '#libs/inference';
import { PATIENT } from '../../../test/support/client.js';
import type { Dialect } from './dialects/dialect.js';
import { dialectNamed } from './dialects/index.js';
import { MAX_EXCESS_BYTES, recordedInput } from './recorded-input.js';

const COLUMNS = Object.keys(PATIENT);
const ROW = Object.values(PATIENT);
const LONG = 'x'.repeat(300_000);
const tensors = COLUMNS.map((name, index) => ({
  name,
  shape: [2, 1],
  datatype: 'FP32',
  data: [ROW[index], ROW[index]],
}));
const whole = { name: 'features', shape: [2, 8], datatype: 'FP32', data: [...ROW, ...ROW] };

let model: Model;

beforeAll(async () => {
  model = await Model.load('model-artifacts/heart-failure/1');
});

afterAll(() => model?.release());

const dialectOf = (name: string): Dialect => dialectNamed(name)!;

function rowsOf(dialect: Dialect, input: unknown): unknown {
  return dialect.read(input, model).instances.map((each) => {
    const { row, errors } = model.coerce(each);
    expect(errors).toEqual([]);
    return row;
  });
}

/** The recorded input of an answered request. */
function recorded(dialect: Dialect, input: unknown): Record<string, unknown> {
  const rowCount = dialect.read(input, model).instances.length;
  return JSON.parse(recordedInput(dialect, input, model, { isAnswered: true, rowCount })) as Record<
    string,
    never
  >;
}

describe('an answered request keeps everything that the answer depends on, and little else', () => {
  test.each<[string, string, object, unknown[]]>([
    ['plain', 'an unknown column', { note: LONG, ...PATIENT, unit: 7 }, ['note']],
    [
      'plain',
      'several, of which some fit',
      { a: LONG, ...PATIENT, b: 'y'.repeat(60_000), c: 'z'.repeat(60_000) },
      ['a', 'c'],
    ],
    ['plain', 'a long name', { ...PATIENT, [LONG]: 1 }, [`${'x'.repeat(100)}…`]],
    [
      'plain',
      'an unknown column that is no text',
      { ...PATIENT, x: { deep: Array(30_000).fill(1.5) } },
      ['x'],
    ],
    [
      'plain',
      '__proto__',
      JSON.parse(`{"__proto__":"${LONG}",${JSON.stringify(PATIENT).slice(1)}`),
      ['__proto__'],
    ],
    ['named', 'features', { ...PATIENT, note: LONG }, ['note']],
    ['named', 'an instance', { instances: [PATIENT, { ...PATIENT, note: LONG }] }, ['note']],
    ['named', 'beside instances', { instances: [PATIENT], note: LONG }, ['note']],
    ['mlflow', 'records', { dataframe_records: [{ ...PATIENT, note: LONG }, PATIENT] }, ['note']],
    [
      'mlflow',
      'a split',
      {
        dataframe_split: {
          columns: ['a', ...COLUMNS, 'b'],
          data: [
            [LONG, ...ROW, 1],
            [LONG, ...ROW, 2],
          ],
        },
      },
      ['a'],
    ],
    [
      'mlflow',
      'an index',
      { dataframe_split: { index: [LONG, 'b'], columns: COLUMNS, data: [ROW, ROW] } },
      ['index'],
    ],
    ['mlflow', 'a bare split', { columns: ['a', ...COLUMNS], data: [[LONG, ...ROW]], index: [0] }, ['a']],
    ['mlflow', 'columns by number', { columns: [...ROW.keys()], data: [ROW], index: [LONG] }, ['index']],
    [
      'mlflow',
      'columns by name',
      { inputs: { ...Object.fromEntries(COLUMNS.map((name, index) => [name, [ROW[index]]])), note: [LONG] } },
      ['note'],
    ],
    ['mlflow', 'one value a column', { instances: { ...PATIENT, note: LONG } }, ['note']],
    ['mlflow', 'parameters', { instances: [ROW], params: { x: LONG } }, ['params']],
    ['mlflow', 'another member', { data: [ROW], x: LONG }, ['x']],
    [
      'oip',
      'a tensor of texts',
      { inputs: [...tensors, { name: 'note', shape: [2], datatype: 'BYTES', data: [LONG, 'a'] }] },
      ['note'],
    ],
    [
      'oip',
      'parameters',
      {
        id: '7',
        parameters: { x: LONG },
        inputs: [{ ...whole, parameters: { y: LONG } }],
        outputs: [{ name: 'label' }],
      },
      ['parameters'],
    ],
  ])('%s: %s', (name, _, input, leftOut) => {
    const dialect = dialectOf(name);
    const kept = recorded(dialect, input);
    const { left_out, bytes } = kept.foretell_truncated as { left_out: string[]; bytes: number };
    expect(left_out).toEqual(leftOut);
    const length = JSON.stringify(kept).length;
    expect(length).toBeLessThan(MAX_EXCESS_BYTES + 2_000);
    expect(length + bytes).toBeGreaterThan(JSON.stringify(input).length);
    expect(rowsOf(dialect, kept)).toEqual(rowsOf(dialect, input));
  });

  test('each row has its own limit', () => {
    const note = 'x'.repeat(60_000);
    const instances = Array.from({ length: 4 }, () => ({ ...PATIENT, note }));
    for (const input of [{ instances }, { instances, more: note }])
      expect(recorded(dialectOf('named'), input)).toEqual(input);
    const table = {
      dataframe_split: { columns: [...COLUMNS, 'note'], data: instances.map((each) => Object.values(each)) },
    };
    expect(recorded(dialectOf('mlflow'), table)).toEqual(table);
  });

  test('a table of many rows stays as it is', () => {
    const table = { dataframe_split: { columns: COLUMNS, data: Array.from({ length: 20_000 }, () => ROW) } };
    expect(recordedInput(dialectOf('mlflow'), table, model, { isAnswered: true, rowCount: 20_000 })).toBe(
      JSON.stringify(table),
    );
  });

  test('if many are left out, some are named', () => {
    const extra = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`x${index}`, 'y'.repeat(1_000)]),
    );
    const { foretell_truncated: told, ...kept } = recorded(dialectOf('plain'), { ...extra, ...PATIENT });
    const { left_out, bytes } = told as { left_out: string[]; bytes: number };
    expect(left_out).toHaveLength(100);
    const rest = 1_000 - (Object.keys(kept).length - COLUMNS.length);
    expect(bytes).toBeGreaterThan(rest * 1_000);
  });
});

describe('a refused request keeps what fits', () => {
  const refused = (name: string, input: unknown, rowCount: number | null) =>
    JSON.parse(recordedInput(dialectOf(name), input, model, { isAnswered: false, rowCount })) as unknown;

  test.each<[string, unknown, number | null, unknown]>([
    [
      'an invalid value',
      { ...PATIENT, age: LONG },
      1,
      { ...PATIENT, age: undefined, foretell_truncated: { left_out: ['age'], bytes: 300_007 } },
    ],
    ['a text', LONG, null, { foretell_truncated: { left_out: [], bytes: 300_002 } }],
    ['a list', [LONG], null, { foretell_truncated: { left_out: [], bytes: 300_004 } }],
    [
      'what was not read',
      { a: 1, inputs: [LONG] },
      null,
      { a: 1, foretell_truncated: { left_out: ['inputs'], bytes: 300_012 } },
    ],
  ])('%s', (_, input, rowCount, expected) => {
    expect(refused('plain', input, rowCount)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  test('which is a whole table if its rows are within the row limit', () => {
    const table = { dataframe_records: Array.from({ length: 5_000 }, () => ({ ...PATIENT, age: 'old' })) };
    expect(refused('mlflow', table, 5_000)).toEqual(table);
  });
});

test('a small body is recorded unchanged, whatever it is', () => {
  for (const input of [null, 7, 'x'.repeat(60_000), { ...PATIENT, note: 'x'.repeat(60_000) }]) {
    for (const isAnswered of [false, true]) {
      expect(recordedInput(dialectOf('plain'), input, model, { isAnswered, rowCount: 1 })).toBe(
        JSON.stringify(input),
      );
    }
  }
});

import { describe, expect, test } from 'vitest';
import { PATIENT, type Answer } from '../support/client.js';
import { prepareService } from '../support/prepared-service.js';

/** The limits per row of a model with eight columns. */
const MOST = 4 * 8 + 4_000;
const COLUMNS = Object.keys(PATIENT);
const ROW = Object.values(PATIENT);
const INFER = '/v2/models/heart-failure/infer';
const NAMED = '/models/heart-failure/predict';

const { database, post, recordOf } = prepareService({ MAX_BODY_BYTES: String(4 * 1024 ** 2) });

const ask = (path: string, body: object | string, type = 'application/json') =>
  post(path, body, { 'content-type': type });

const unknown = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${index}`, 1]));
const tensors = (count: number) => [
  ...COLUMNS.map((name, index) => ({ name, shape: [1], datatype: 'FP64', data: [ROW[index]] })),
  ...Object.keys(unknown(count - COLUMNS.length)).map((name) => ({
    name,
    shape: [1],
    datatype: 'FP32',
    data: [1],
  })),
];
const split = (columns: number, rows = 1) => ({
  columns: [...COLUMNS, ...Object.keys(unknown(columns - COLUMNS.length))],
  data: Array.from({ length: rows }, () => [...ROW, ...new Array<number>(columns - COLUMNS.length).fill(1)]),
});
const csv = ({ columns, data }: ReturnType<typeof split>) => [columns, ...data].map(String).join('\n');

describe('as many columns as a row may have, and one more', () => {
  const more = (columns: number) => ({ ...PATIENT, ...unknown(columns - 8) });
  const members = /object .* members/;
  test.each<[string, string, (columns: number) => object | string, RegExp, string?]>([
    ['features', '/predict', more, members],
    ['features of a named model', NAMED, more, members],
    ['one of several instances', NAMED, (columns) => ({ instances: [PATIENT, more(columns)] }), members],
    ['records', '/invocations', (columns) => ({ dataframe_records: [PATIENT, more(columns)] }), members],
    [
      'a split',
      '/invocations',
      (columns) => ({ dataframe_split: split(columns, 1) }),
      /more than \d+ (columns|values)/,
    ],
    ['CSV', '/invocations', (columns) => csv(split(columns)), /more than \d+ columns/, 'text/csv'],
    [
      'columns by name',
      '/invocations',
      (columns) => ({
        inputs: Object.fromEntries(split(columns).columns.map((name, index) => [name, [ROW[index] ?? 1]])),
      }),
      members,
    ],
  ])('%s', async (_, path, body, message, type) => {
    const fits = await ask(path, body(MOST - 2), type);
    expect(fits.status, fits.text).toBe(200);
    expect((await recordOf(fits)).row_count).toBeGreaterThan(0);
    const refused = await ask(path, body(MOST + 1), type);
    expect(refused.status).toBe(400);
    expect(refused.text).toMatch(message);
    expect(refused.text).toContain(String(MOST));
    const { input, ...record } = await recordOf(refused);
    expect(record).toMatchObject({ status_code: 400, output: refused.body });
    expect(JSON.stringify(input).length).toBeLessThan(70_000);
  });

  test('tensors', async () => {
    // Each is an object with two lists in it.
    const fits = await ask(INFER, { inputs: tensors(Math.floor(MOST / 8)) });
    expect(fits.status, fits.text).toBe(200);
    const refused = await ask(INFER, { inputs: tensors(MOST + 1) });
    expect(refused.status).toBe(400);
    expect(refused.body.error).toMatch(/more than 4032 values/);
  });
});

describe('as many values as a row may have, and more', () => {
  const zeros = (count: number) => `[${new Array(count).fill(0).join()}]`;
  const and = (member: string) => `${JSON.stringify(PATIENT).slice(0, -1)},${member}}`;
  test.each<[string, string, (values: string) => string]>([
    ['in an unknown column', '/predict', (values) => and(`"x":${values}`)],
    ['in a column of the model', '/predict', (values) => and(`"age":${values}`)],
    ['as the body', '/predict', (values) => values],
    ['in an unknown column of a named model', NAMED, (values) => and(`"x":${values}`)],
    ['in an instance', NAMED, (values) => `{"instances":[${and(`"x":${values}`)}]}`],
    ['as instances', NAMED, (values) => `{"x":${values},"instances":[${and('"x":1')}]}`],
    ['in a record', '/invocations', (values) => `{"dataframe_records":[${and(`"x":${values}`)}]}`],
    ['as a row', '/invocations', (values) => `{"instances":[${values}]}`],
    ['as parameters', '/invocations', (values) => `{"instances":[[${ROW}]],"params":{"x":${values}}}`],
    ['as an index', '/invocations', (values) => `{"dataframe_split":{"data":[[${ROW}]],"index":${values}}}`],
    [
      'in a tensor’s parameters',
      INFER,
      (values) =>
        `{"inputs":[{"name":"features","shape":[1,8],"datatype":"FP32","data":[${ROW}],"parameters":{"x":${values}}}]}`,
    ],
    [
      'in a tensor that lies',
      INFER,
      (values) => `{"inputs":[{"name":"features","shape":[1,8],"datatype":"FP32","data":${values}}]}`,
    ],
  ])('%s', async (_, path, body) => {
    const refused = await ask(path, body(zeros(480_000)));
    expect(refused.status).toBe(400);
    expect(refused.text).toMatch(
      /(The body|A list of the body) has more than (4032|200000|800000) (values|values a row|elements)\./,
    );
    expect(await recordOf(refused)).toMatchObject({ status_code: 400, output: refused.body, input: null });
    const fits = await ask(path, body(zeros(3_900)));
    expect(fits.text).not.toMatch(/more than/);
    expect((await recordOf(fits)).input).not.toBeNull();
  });
});

test('tables of many rows are accepted, whatever else is in a row', async () => {
  const wide = await ask('/invocations', { dataframe_split: split(1_000, 200) });
  expect(wide.body.predictions).toHaveLength(200);
  const long = await ask('/invocations', csv(split(8, 50_000)), 'text/csv');
  expect(long.body.predictions).toHaveLength(50_000);
  const data = Array.from({ length: 50_000 }, () => ROW).flat();
  const tensor = { name: 'features', shape: [50_000, 8], datatype: 'FP32', data };
  const answer = await ask(INFER, { inputs: [tensor], outputs: [{ name: 'label' }] });
  expect(answer.body.outputs[0].shape).toEqual([50_000]);
});

test('the record names only the first ignored columns', async () => {
  const names = Object.keys(unknown(3_000));
  const few = await ask('/predict', { ...PATIENT, ['y'.repeat(1_000)]: 1, b: 2 });
  expect((await recordOf(few)).ignored_columns).toEqual([`${'y'.repeat(100)}…`, 'b']);
  const many = await recordOf(await ask('/predict', { ...PATIENT, ...unknown(3_000) }));
  expect(many.ignored_columns).toEqual([...names.slice(0, 100), '…']);
  const records = [
    { ...PATIENT, a: 1 },
    { ...PATIENT, ...unknown(99) },
    { ...PATIENT, a: 1, b: 2 },
  ];
  const table = await recordOf(await ask('/invocations', { dataframe_records: records }));
  expect(table.ignored_columns).toEqual(['a', ...names.slice(0, 99), '…']);
});

describe('values that the model does not take are recorded up to 64 kB per row', () => {
  const long = 'x'.repeat(1_000_000);
  const sizeOf = async (answer: Answer) => {
    const [row] = await database.query<{ bytes: number; input: Record<string, unknown> }>(
      'SELECT octet_length(input::text) AS bytes, input FROM requests WHERE request_uuid = $1',
      [answer.headers.get('x-request-id')],
    );
    return row!;
  };

  test.each<[string, string, object, string]>([
    ['plain', '/predict', { ...PATIENT, note: long }, 'note'],
    ['named', NAMED, { instances: [{ ...PATIENT, note: long }] }, 'note'],
    ['MLflow', '/invocations', { instances: [ROW], params: { x: long } }, 'params'],
    [
      'OIP',
      INFER,
      { inputs: [...tensors(8), { name: 'note', shape: [1], datatype: 'BYTES', data: [long] }] },
      'note',
    ],
  ])('%s', async (_, path, body, name) => {
    const answer = await ask(path, body);
    expect(answer.status, answer.text).toBe(200);
    const { bytes, input } = await sizeOf(answer);
    expect(bytes).toBeLessThan(70_000);
    expect(input.foretell_truncated).toEqual({ left_out: [name], bytes: expect.any(Number) });
    expect(JSON.stringify(input)).toContain('500000');
  });

  test('CSV', async () => {
    const answer = await ask('/invocations', `${COLUMNS},note\n${ROW},${long}\n`, 'text/csv');
    expect(answer.status).toBe(200);
    const { bytes, input } = await sizeOf(answer);
    expect(bytes).toBeLessThan(70_000);
    expect(input).toEqual({
      dataframe_split: { columns: COLUMNS, data: [ROW.map(String)] },
      foretell_truncated: { left_out: ['note'], bytes: expect.any(Number) },
    });
  });

  test('and a value that is refused as well', async () => {
    const answer = await ask('/predict', { ...PATIENT, age: long });
    expect(answer.status).toBe(400);
    const { bytes, input } = await sizeOf(answer);
    expect(bytes).toBeLessThan(1_000);
    expect(input).toEqual({
      ...Object.fromEntries(Object.entries(PATIENT).slice(1)),
      foretell_truncated: { left_out: ['age'], bytes: expect.any(Number) },
    });
  });

  test.each([
    ['digits', '1'.padEnd(1_001, '0'), 'age'],
    ['digits behind the point', '0.'.padEnd(1_001, '3'), 'age'],
    ['spaces', '25'.padStart(1_001), 'age'],
    ['a truth', 'true'.padEnd(1_001), 'sex'],
  ])('a number of more than 1000 characters is refused: %s', async (_, value, column) => {
    const answer = await ask('/predict', { ...PATIENT, [column]: value });
    expect(answer.body.errors).toEqual([
      { detail: 'must be at most 1000 characters long', pointer: `#/${column}` },
    ]);
    const fits = await ask('/predict', { ...PATIENT, [column]: value.slice(1) });
    expect(fits.text).not.toMatch(/characters long/);
  });
});

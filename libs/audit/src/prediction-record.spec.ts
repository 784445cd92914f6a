import { describe, expect, test } from 'vitest';
import { BinaryArrays } from '#libs/database';
import { prepareDatabase } from '../../../test/support/prepared-service.js';
import { toColumns, type PredictionRecord } from './prediction-record.js';

const RECORD: PredictionRecord = {
  userId: 7,
  requestUuid: '6f1c1f7e-7f1b-4a52-9a57-7f5f2a0f6f57',
  model: 'heart-failure',
  modelVersion: '1',
  dialect: 'plain',
  input: '{"age":25}',
  rowCount: 1,
  ignoredColumns: [],
  statusCode: 200,
  output: '{"yhat_prob":"0.5124506","yhat":"1"}',
  durationMs: 1.23456789,
};

const database = prepareDatabase({ empty: true });

/** The records as PostgreSQL reads them. */
function recordedAll(records: PredictionRecord[]): Promise<Record<string, unknown>[]> {
  return database.query(
    `SELECT user_id, request_uuid, model, model_version, dialect, input, input::text AS input_text, row_count,
            ignored_columns::text[] AS ignored_columns, status_code, output, duration_ms
     FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::integer[],
                 $8::text[], $9::smallint[], $10::jsonb[], $11::real[])
       AS record (user_id, request_uuid, model, model_version, dialect, input, row_count,
                  ignored_columns, status_code, output, duration_ms)`,
    toColumns(records, new BinaryArrays()),
  );
}

async function recorded(changes: Partial<PredictionRecord>): Promise<Record<string, unknown>> {
  return (await recordedAll([{ ...RECORD, ...changes }]))[0]!;
}

/** Expects this for an input and for an output. */
async function expectRecorded(json: string, expected: unknown): Promise<void> {
  const { input, output } = await recorded({ input: json, output: json });
  expect([input, output]).toEqual([expected, expected]);
}

test('a record arrives with a value for each column', async () => {
  const ignoredColumns = ['a', 'b "c"', 'd\\', '{e,f}', 'NULL', ''];
  expect(await recorded({ ignoredColumns, durationMs: 1.25 })).toEqual({
    user_id: 7,
    request_uuid: RECORD.requestUuid,
    model: 'heart-failure',
    model_version: '1',
    dialect: 'plain',
    input: { age: 25 },
    input_text: '{"age": 25}',
    row_count: 1,
    ignored_columns: ignoredColumns,
    status_code: 200,
    output: { yhat_prob: '0.5124506', yhat: '1' },
    duration_ms: 1.25,
  });
});

test('many arrive in their order, short and long, with and without a number of rows', async () => {
  const records = Array.from({ length: 500 }, (_, index) => ({
    ...RECORD,
    userId: index,
    input: JSON.stringify({ text: 'é😀'.repeat((index * 37) % 5000) }),
    rowCount: index % 3 === 0 ? null : index,
    statusCode: index % 2 === 0 ? 200 : 400,
  }));
  const arrived = await recordedAll(records);
  expect(
    arrived.map(({ user_id, input, row_count, status_code }) => [user_id, input, row_count, status_code]),
  ).toEqual(
    records.map(({ userId, input, rowCount, statusCode }) => [
      userId,
      JSON.parse(input),
      rowCount,
      statusCode,
    ]),
  );
});

test('no digit of a number is lost', async () => {
  const input = '{"big": 123456789012345678901234567890, "spaced": [1.50]}';
  expect((await recorded({ input })).input_text).toBe(input);
});

test.each(['null', '[]', '"text"', '17', 'false'])('an input of %s stays what it is', async (input) => {
  expect((await recorded({ input })).input).toEqual(JSON.parse(input));
});

test('text with quotes, backslashes and line breaks stays what it is', async () => {
  const text = 'a"b\\c\n\u2028</script>';
  expect(await recorded({ requestUuid: text, model: text, modelVersion: text, dialect: text })).toMatchObject(
    {
      request_uuid: text,
      model: text,
      model_version: text,
      dialect: text,
    },
  );
});

test.each([0.0004, 1e-9, 5000, 1e6])('a duration of %d ms arrives as a float32', async (durationMs) => {
  expect(Math.fround(Number((await recorded({ durationMs })).duration_ms))).toBe(Math.fround(durationMs));
});

describe('what PostgreSQL’s jsonb cannot hold', () => {
  // JSON.stringify writes NUL and lone surrogates as escapes; a caller may have written either case.
  test.each([
    ['NUL', '{"x":"a\\u0000b"}', { x: 'a\uFFFDb' }],
    ['a lone high surrogate', '{"x":"a\\ud800b"}', { x: 'a\uFFFDb' }],
    ['a lone low surrogate', '{"x":"a\\udc00b"}', { x: 'a\uFFFDb' }],
    ['one in capitals', '{"x":"\\uDBFF"}', { x: '\uFFFD' }],
    ['surrogates in the wrong order', '{"x":"\\ude00\\ud83d"}', { x: '\uFFFD\uFFFD' }],
    ['two of them', '{"x":"\\u0000\\u0000"}', { x: '\uFFFD\uFFFD' }],
    ['one after an escaped backslash', '{"x":"\\\\\\u0000"}', { x: '\\\uFFFD' }],
    ['deep inside', '[{"x":[{"y":"\\udfff"}]}]', [{ x: [{ y: '\uFFFD' }] }]],
    ['alone', '"\\u0000"', '\uFFFD'],
  ])('becomes the replacement character: %s', (_, json, expected) => expectRecorded(json, expected));

  test.each([
    ['NUL', '{"a\\u0000":1}', { 'a\uFFFDu0000': 1 }],
    ['a lone surrogate', '{"\\ud800":1}', { '\uFFFDud800': 1 }],
    ['beside the replacement character', '{"x\\u0000":1,"x\uFFFD":2}', { 'x\uFFFDu0000': 1, 'x\uFFFD': 2 }],
    [
      'beside what looks like it, which is told apart as well',
      '{"x\\u0000":1,"x\uFFFDu0000":2,"x\uFFFDufffdu0000":3}',
      { 'x\uFFFDu0000': 1, 'x\uFFFDufffdu0000': 2, 'x\uFFFDufffdufffdu0000': 3 },
    ],
    ['deep inside', '[{"x":[{"y\\u0000":1}]}]', [{ x: [{ 'y\uFFFDu0000': 1 }] }]],
  ])('in a key is replaced by its code, so that no two keys become one: %s', (_, json, expected) =>
    expectRecorded(json, expected),
  );

  test('is written the same way in the names of ignored columns', async () => {
    const ignoredColumns = ['a\0', '\ud800', '\uFFFD', '\uFFFDu0000'];
    expect((await recorded({ ignoredColumns })).ignored_columns).toEqual([
      'a\uFFFDu0000',
      '\uFFFDud800',
      '\uFFFD',
      '\uFFFDufffdu0000',
    ]);
  });

  test('a column called __proto__ is kept beside it', async () => {
    const { input } = await recorded({ input: '{"__proto__":{"a":"\\u0000"},"constructor":1}' });
    expect(JSON.stringify(input)).toBe('{"__proto__":{"a":"\uFFFD"},"constructor":1}');
  });
});

describe('look-alikes stay unchanged', () => {
  test.each([
    ['an escaped backslash before u0000', '{"x":"\\\\u0000"}'],
    ['an escaped backslash before ud800', '{"\\\\ud800":"\\\\\\\\udfff"}'],
    ['an escaped pair of surrogates', '{"x":"\\ud83d\\ude00"}'],
    ['an emoji', '{"x":"😀"}'],
    ['the replacement character in a key', '{"x\uFFFD":1,"\uFFFDu00":2}'],
    ['another control character', '{"x":"\\u0001\\u001f"}'],
  ])('%s', (_, json) => expectRecorded(json, JSON.parse(json)));
});

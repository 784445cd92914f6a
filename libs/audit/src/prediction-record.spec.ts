import { describe, expect, test } from 'vitest';
import { toJson, type PredictionRecord } from './prediction-record.js';

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

function recorded(changes: Partial<PredictionRecord>) {
  return JSON.parse(toJson({ ...RECORD, ...changes })) as Record<string, unknown>;
}

test('a record is one JSON object with a member for each column', () => {
  expect(recorded({ ignoredColumns: ['a', 'b "c"'] })).toEqual({
    user_id: 7,
    request_uuid: RECORD.requestUuid,
    model: 'heart-failure',
    model_version: '1',
    dialect: 'plain',
    input: { age: 25 },
    row_count: 1,
    ignored_columns: ['a', 'b "c"'],
    status_code: 200,
    output: { yhat_prob: '0.5124506', yhat: '1' },
    duration_ms: 1.235,
  });
});

test('input and output are set in as they are: no digit of a number is lost', () => {
  const input = '{"big":123456789012345678901234567890,"spaced" : [ 1.50 ]}';
  expect(toJson({ ...RECORD, input })).toContain(`"input":${input},`);
});

test.each(['null', '[]', '"text"', '17', 'false'])('an input of %s stays what it is', (input) => {
  expect(recorded({ input }).input).toEqual(JSON.parse(input));
});

test('text with quotes, backslashes and line breaks stays JSON', () => {
  const text = 'a"b\\c\n\u2028</script>';
  expect(recorded({ requestUuid: text, model: text, modelVersion: text, dialect: text })).toMatchObject({
    request_uuid: text,
    model: text,
    model_version: text,
    dialect: text,
  });
});

test.each([0.0004, 1e-9, 5000, 1e6])('a duration of %d ms is written in plain decimals', (durationMs) => {
  expect(toJson({ ...RECORD, durationMs })).toMatch(/"duration_ms":\d+\.\d{3}\}$/);
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
    ['in a key', '{"a\\u0000":1,"\\ud800":2}', { 'a\uFFFD': 1, '\uFFFD': 2 }],
    ['deep inside', '[{"x":[{"y\\u0000":"\\udfff"}]}]', [{ x: [{ 'y\uFFFD': '\uFFFD' }] }]],
    ['alone', '"\\u0000"', '\uFFFD'],
  ])('becomes the replacement character: %s', (_, json, expected) => {
    expect(recorded({ input: json }).input).toEqual(expected);
    expect(recorded({ output: json }).output).toEqual(expected);
    expect(toJson({ ...RECORD, input: json, output: json })).not.toMatch(/[^\\](\\\\)*\\u(0000|d[89a-f])/i);
  });

  test('becomes it in the names of ignored columns', () => {
    expect(recorded({ ignoredColumns: ['a\0', '\ud800'] }).ignored_columns).toEqual(['a\uFFFD', '\uFFFD']);
  });

  test('a column called __proto__ is kept beside it', () => {
    const { input } = recorded({ input: '{"__proto__":{"a":"\\u0000"},"constructor":1}' });
    expect(JSON.stringify(input)).toBe('{"__proto__":{"a":"\uFFFD"},"constructor":1}');
  });
});

describe('what only looks like it is left alone', () => {
  test.each([
    ['an escaped backslash before u0000', '{"x":"\\\\u0000"}'],
    ['an escaped backslash before ud800', '{"\\\\ud800":"\\\\\\\\udfff"}'],
    ['an escaped pair of surrogates', '{"x":"\\ud83d\\ude00"}'],
    ['an emoji', '{"x":"😀"}'],
    ['another control character', '{"x":"\\u0001\\u001f"}'],
  ])('%s', (_, json) => {
    expect(recorded({ input: json, output: json })).toMatchObject({
      input: JSON.parse(json) as object,
      output: JSON.parse(json) as object,
    });
  });
});

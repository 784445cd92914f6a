import { describe, expect, test } from 'vitest';
import { parseJsonBody, parsePythonJsonBody } from './json-body.js';

describe('a body of a client in Python', () => {
  test.each([
    ['{"a":NaN}', { a: null }],
    ['[NaN, NaN,1]', [null, null, 1]],
    ['{"a NaN":"NaN","b":NaN}', { 'a NaN': 'NaN', b: null }],
    ['{"a\\"NaN":NaN,"b":"\\\\"}', { 'a"NaN': null, b: '\\' }],
    ['{"a":1}', { a: 1 }],
  ])('%s', (text, expected) => {
    expect(parsePythonJsonBody(Buffer.from(text))).toEqual(expected);
  });

  test.each(['NaNa', '[aNaN]', '{"a":Infinity}', '{"a":-NaN}', '"NaN', '"NaN\\', '{"a":NaN'])(
    '%s is none',
    (text) => {
      expect(() => parsePythonJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
    },
  );

  test('that never closes its strings is refused as quickly as it is long', () => {
    const started = performance.now();
    const text = `[NaN,"${'\\"'.repeat(2_000_000)}`;
    expect(() => parsePythonJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

test('a NaN is no JSON', () => {
  expect(() => parseJsonBody(Buffer.from('{"a":NaN}'))).toThrow('The body is not JSON.');
});

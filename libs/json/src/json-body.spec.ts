import { describe, expect, test } from 'vitest';
import { parseJsonBody, parsePythonJsonBody } from './json-body.js';

describe('a body from a Python client', () => {
  test.each([
    ['{"a":NaN}', { a: null }],
    ['[NaN, NaN,1]', [null, null, 1]],
    ['{"a NaN":"NaN","b":NaN}', { 'a NaN': 'NaN', b: null }],
    ['{"a\\"NaN":NaN,"b":"\\\\"}', { 'a"NaN': null, b: '\\' }],
    ['{"a":1}', { a: 1 }],
    [
      '{"a":Infinity,"b":[-Infinity],"-Infinity":"Infinity"}',
      { a: Infinity, b: [-Infinity], '-Infinity': 'Infinity' },
    ],
    ['[NaN,Infinity]', [null, Infinity]],
  ])('%s', (text, expected) => {
    expect(parsePythonJsonBody(Buffer.from(text))).toEqual(expected);
  });

  test.each([
    'NaNa',
    '[aNaN]',
    '{"a":Infinit}',
    '[--Infinity]',
    '[+Infinity]',
    '[Infinity0]',
    '{Infinity:1}',
    '{"a":-NaN}',
    '"NaN',
    '"NaN\\',
    '{"a":NaN',
  ])('%s is not such a body', (text) => {
    expect(() => parsePythonJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
  });

  test('that never closes its strings is refused in time proportional to its length', () => {
    const started = performance.now();
    const text = `[NaN,"${'\\"'.repeat(2_000_000)}`;
    expect(() => parsePythonJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

test.each(['{"a":NaN}', '{"a":Infinity}'])('%s is not JSON', (text) => {
  expect(() => parseJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
});

describe('a byte order mark', () => {
  test.each([parseJsonBody, parsePythonJsonBody])('before JSON is ignored', (parse) => {
    expect(parse(Buffer.from('\uFEFF{"a":"\uFEFF"}'))).toEqual({ a: '\uFEFF' });
  });

  test.each(['\uFEFF\uFEFF1', ' \uFEFF1', '1\uFEFF', '\uFEFF'])('is not ignored in %j', (text) => {
    expect(() => parseJsonBody(Buffer.from(text))).toThrow('The body is not JSON.');
  });
});

import { expect, test } from 'vitest';
import { flawOf } from './storable-json.js';

const nested = (depth: number): unknown =>
  Array.from({ length: depth }).reduce<unknown>((inner) => ({ in: inner }), 1);

test.each<[string, unknown]>([
  ['what JSON usually is', { a: [1, 'ü', '🌷', null, true, { '': -1e308 }], 'b c': '\u0001\ufffd' }],
  ['64 levels', nested(64)],
])('%s can be kept', (_, value) => {
  expect(flawOf(value)).toBeUndefined();
});

test.each<[string, unknown, string]>([
  ['NUL in a text', { labels: ['a', 'b\0c'] }, 'labels.1: has a NUL character in it'],
  [
    'NUL in the name of a member',
    { parameters: { 'x\0': 1 } },
    'parameters: the name of a member has a NUL character in it',
  ],
  ['the first half of a pair', { description: 'a\ud83c' }, 'description: has half of a surrogate pair in it'],
  ['the second half of one', ['\udf37'], '0: has half of a surrogate pair in it'],
  ['the halves in the wrong order', '\udf37\ud83c', 'the file: has half of a surrogate pair in it'],
  [
    'a number beyond all',
    { metrics: [{ value: JSON.parse('1e999') }] },
    'metrics.0.value: is too large for a number',
  ],
])('%s cannot be kept: the error says where', (_, value, flaw) => {
  expect(flawOf(value)).toBe(flaw);
});

test('more than 64 levels cannot be kept, and overflow no stack', () => {
  expect(flawOf(nested(65))).toMatch(/^in\.in\..*: is nested deeper than 64 levels$/);
  expect(flawOf(nested(1_000_000))).toMatch(/deeper than 64/);
});

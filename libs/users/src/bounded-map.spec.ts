import { expect, test } from 'vitest';
import { BoundedMap } from './bounded-map.js';

test('a bounded map forgets what was set longest ago, and nothing before it is full', () => {
  const map = new BoundedMap<number, string>(3);
  for (const key of [1, 2, 3]) map.set(key, `${key}`);
  expect([map.size, map.oldest]).toEqual([3, 1]);
  // Setting a key again makes it the newest and drops nothing.
  map.set(1, 'one');
  expect([map.size, map.oldest]).toEqual([3, 2]);
  map.set(4, '4');
  expect([1, 2, 3, 4].map((key) => map.get(key))).toEqual(['one', undefined, '3', '4']);
  map.delete(3);
  map.set(5, '5');
  expect([map.size, map.oldest]).toEqual([3, 1]);
  for (let key = 0; key < 100_000; key++) map.set(key, '');
  expect(map.size).toBe(3);
  map.clear();
  expect([map.size, map.oldest]).toEqual([0, undefined]);
});

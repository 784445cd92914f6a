import { describe, expect, test } from 'vitest';
import { decideBatch, decidePlace } from './place.js';

const runs = (...times: [rows: number, ms: number][]) => times.map(([rows, ms]) => ({ rows, ms }));

describe('the place of a model', () => {
  test.each([
    ['quick to run and to open', 1, 50, 'event loop'],
    ['slow to run', 1.1, 5, 'worker thread'],
    ['slow to open', 0.1, 51, 'worker thread'],
  ] as const)('that is %s', (_, ms, openMs, place) => {
    expect(decidePlace({ openMs, runs: runs([1, ms], [4, 100]) })).toBe(place);
  });
});

describe('the largest batch', () => {
  test('is the largest whose run stays within the budget of its place', () => {
    const measured = runs([1, 0.9], [4, 3], [16, 11], [64, 40], [256, 170]);
    expect(decideBatch(measured, 'event loop')).toEqual({ rows: 4, ms: 3 });
    expect(decideBatch(measured, 'worker thread')).toEqual({ rows: 64, ms: 40 });
  });

  test('is one row where even that takes longer', () => {
    expect(decideBatch(runs([1, 200]), 'worker thread')).toEqual({ rows: 1, ms: 200 });
  });
});

import { describe, expect, test } from 'vitest';
import { decideBatch, decidePlace } from './place.js';

const runs = (...times: [rows: number, ms: number][]) => times.map(([rows, ms]) => ({ rows, ms }));

describe('the place of a model', () => {
  test.each([
    ['quick to run and to open', 1, 50, true, 'event loop'],
    ['slow to run', 1.1, 5, true, 'own process'],
    ['slow to open', 0.1, 51, true, 'own process'],
    ['quick as far as it was asked, and may be slow otherwise', 0.01, 5, false, 'own process'],
  ] as const)('that is %s', (_, ms, openMs, isBounded, place) => {
    expect(decidePlace({ openMs, runs: runs([1, ms], [4, 100]) }, () => isBounded)).toBe(place);
  });
});

describe('the largest batch', () => {
  test('is the largest whose run stays within the budget of its place', () => {
    const measured = runs([1, 0.9], [4, 3], [16, 11], [64, 40], [256, 170]);
    expect(decideBatch(measured, 'event loop')).toEqual({ rows: 4, ms: 3 });
    expect(decideBatch(measured, 'own process')).toEqual({ rows: 64, ms: 40 });
  });

  test('is one row if even that takes longer', () => {
    expect(decideBatch(runs([1, 200]), 'own process')).toEqual({ rows: 1, ms: 200 });
  });
});

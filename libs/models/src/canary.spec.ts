import { expect, test } from 'vitest';
import { isInCanary } from './canary.js';

const USERS = Array.from({ length: 10_000 }, (_, index) => index + 1);
const canaryOf = (name: string, percent: number) =>
  USERS.filter((userId) => isInCanary(name, userId, percent));

test('the same users every time, on every machine', () => {
  expect(canaryOf('heart-failure', 10)).toEqual(canaryOf('heart-failure', 10));
  expect(canaryOf('heart-failure', 10).slice(0, 5)).toEqual([9, 21, 23, 40, 47]);
});

test.each([0.5, 1, 10, 50, 99])('about %s percent of the users', (percent) => {
  const expected = (USERS.length * percent) / 100;
  // Four standard deviations of as many independent draws.
  const tolerance = 4 * Math.sqrt(expected * (1 - percent / 100));
  expect(Math.abs(canaryOf('heart-failure', percent).length - expected)).toBeLessThan(tolerance);
});

test('no one at 0 percent, and everyone at 100', () => {
  expect(canaryOf('heart-failure', 0)).toEqual([]);
  expect(canaryOf('heart-failure', 100)).toEqual(USERS);
});

test('users in it stay in it when it grows', () => {
  const steps = [1, 5, 10, 50, 100].map((percent) => canaryOf('heart-failure', percent));
  for (const [index, step] of steps
    .slice(1)
    .map((users) => new Set(users))
    .entries())
    expect(steps[index]!.filter((userId) => !step.has(userId))).toEqual([]);
});

test('not the same users for another model', () => {
  const others = new Set(canaryOf('iris', 10));
  const both = canaryOf('heart-failure', 10).filter((userId) => others.has(userId));
  // A tenth of a tenth of them, by chance.
  expect(both.length).toBeGreaterThan(50);
  expect(both.length).toBeLessThan(150);
});

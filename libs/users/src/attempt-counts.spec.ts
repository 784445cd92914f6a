import { afterEach, describe, expect, test, vi } from 'vitest';
import { heapUsed } from '../../../test/support/heap.js';
import { AttemptCounts } from './attempt-counts.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function atTime() {
  const clock = { now: 1_000 };
  vi.spyOn(performance, 'now').mockImplementation(() => clock.now);
  return clock;
}

describe('attempts of one key', () => {
  test('are limited within a minute of the first, and a refusal says how long to wait', () => {
    const clock = atTime();
    const counts = new AttemptCounts({ limit: 2 });
    expect(counts.add('ada')).toBe(0);
    clock.now += 20_000;
    expect(counts.add('ada')).toBe(0);
    clock.now += 10_000;
    expect(counts.add('ada')).toBe(30_000);
    // Further attempts do not make it longer.
    clock.now += 29_999;
    expect(counts.add('ada')).toBe(1);
    clock.now += 2;
    expect([counts.add('ada'), counts.add('ada')]).toEqual([0, 0]);
    expect(counts.add('ada')).toBe(60_000);
  });

  test('do not affect those of another', () => {
    const counts = new AttemptCounts({ limit: 1 });
    expect([counts.add('ada'), counts.add('ben')]).toEqual([0, 0]);
    expect(counts.add('ada')).toBeGreaterThan(0);
  });

  test('can be undone, and forgotten', () => {
    const counts = new AttemptCounts({ limit: 2 });
    for (let time = 0; time < 5; time++) {
      expect(counts.add('ada')).toBe(0);
      counts.takeBack('ada');
    }
    expect([counts.add('ada'), counts.add('ada')]).toEqual([0, 0]);
    expect(counts.add('ada')).toBeGreaterThan(0);
    counts.forget('ada');
    expect(counts.size).toBe(0);
    expect(counts.add('ada')).toBe(0);
    // Undoing an attempt that was never counted does nothing.
    counts.takeBack('ben');
    expect([counts.add('ben'), counts.add('ben')]).toEqual([0, 0]);
    expect(counts.add('ben')).toBeGreaterThan(0);
  });
});

describe('whatever callers send', () => {
  test('the number of keys is limited; the one longest unused goes first', () => {
    const counts = new AttemptCounts({ limit: 1, maxKeys: 3 });
    for (const key of ['a', 'b', 'c']) expect(counts.add(key)).toBe(0);
    expect(counts.add('a')).toBeGreaterThan(0);
    expect(counts.add('d')).toBe(0);
    expect(counts.size).toBe(3);
    expect(counts.add('a')).toBeGreaterThan(0);
    expect(counts.add('b')).toBe(0);
    expect(counts.size).toBe(3);
  });

  test('a hundred thousand keys of 16 kB take no more than twenty megabytes', () => {
    const counts = new AttemptCounts({ limit: 10 });
    const padding = 'x'.repeat(16_000);
    const before = heapUsed();
    for (let number = 0; number < 100_000; number++) counts.add(`${number} ${padding}`);
    expect(counts.size).toBe(50_000);
    expect(heapUsed() - before).toBeLessThan(20e6);
  });

  test('expired counts are forgotten, even if no one asks', () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const clock = atTime();
    const counts = new AttemptCounts({ limit: 1 });
    for (let number = 0; number < 100; number++) counts.add(`${number}`);
    clock.now += 60_001;
    counts.add('new');
    vi.advanceTimersByTime(60_000);
    expect(counts.size).toBe(1);
  });
});

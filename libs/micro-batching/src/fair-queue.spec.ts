import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue } from './fair-queue.js';

/** Items such as `a1`: their owner is the letter. */
function queueOf(...items: string[]): FairQueue<string> {
  const queue = new FairQueue<string>((item) => item[0]);
  for (const item of items) queue.push(item);
  return queue;
}

const all = () => true;

describe('taking', () => {
  test('is in order of arrival if there is one owner', () => {
    const queue = queueOf('a1', 'a2', 'a3');
    expect(queue.take(2, all)).toEqual(['a1', 'a2']);
    expect(queue.take(2, all)).toEqual(['a3']);
    expect([queue.take(2, all), queue.length]).toEqual([[], 0]);
  });

  test('is from each owner in turn, and continues where it left off', () => {
    const queue = queueOf('a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'c1', 'c2');
    expect(queue.take(4, all)).toEqual(['a1', 'b1', 'c1', 'a2']);
    expect(queue.take(4, all)).toEqual(['c2', 'a3', 'a4', 'a5']);
  });

  test('ends before the first item that does not fit', () => {
    const queue = queueOf('a1', 'b1', 'a2');
    let room = 2;
    expect(queue.take(10, () => room-- > 0)).toEqual(['a1', 'b1']);
    expect(queue.take(10, all)).toEqual(['a2']);
  });
});

describe('making room', () => {
  test('removes the newest item of the owner with the most, for one with fewer', () => {
    const queue = queueOf('a1', 'a2', 'a3', 'b1');
    expect(queue.displace('b', 1)).toEqual(['a3']);
    expect(queue.length).toBe(3);
    expect(queue.take(10, all)).toEqual(['a1', 'b1', 'a2']);
  });

  test('removes nothing from an owner who would then have less than the other', () => {
    const queue = queueOf('a1', 'a2', 'a3', 'b1', 'b2');
    expect(queue.displace('b', 1)).toBeUndefined();
    expect(queue.displace('a', 1)).toBeUndefined();
    expect(queue.displace('c', 2)).toBeUndefined();
    expect(queue.displace('c', 1)).toEqual(['a3']);
    expect(queue.length).toBe(4);
  });

  test('finds the owner with the most now, not the one who once had it', () => {
    const queue = queueOf('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6');
    // b has most, until all of it is taken.
    while (queue.length > 2) queue.take(1, all);
    for (const item of ['c1', 'c2', 'c3', 'c4', 'c5']) queue.push(item);
    expect(queue.displace('d', 1)).toEqual(['c5']);
  });
});

test('no item is lost or duplicated, each owner’s stay in order, and no one waits behind another’s second', () => {
  const owners = fc.constantFrom('a', 'b', 'c', 'd');
  const steps = fc.array(fc.oneof(owners, fc.nat(6), fc.record({ for: owners })), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (script) => {
      const queue = queueOf();
      const counts: Record<string, number> = {};
      const waiting: Record<string, string[]> = {};
      const gone = (items: string[], end: 'shift' | 'pop') => {
        for (const item of items) expect(waiting[item[0]!]![end]()).toBe(item);
      };
      for (const step of script) {
        if (typeof step === 'string') {
          const item = `${step}${(counts[step] = (counts[step] ?? 0) + 1)}`;
          queue.push(item);
          (waiting[step] ??= []).push(item);
        } else if (typeof step === 'number') {
          const had = Object.values(waiting).filter((items) => items.length > 0).length;
          const taken = queue.take(step, all);
          expect(new Set(taken.slice(0, had).map(([owner]) => owner)).size).toBe(Math.min(step, had));
          gone(taken, 'shift');
        } else {
          const displaced = queue.displace(step.for, 1);
          if (displaced) gone(displaced, 'pop');
        }
        expect(queue.length).toBe(Object.values(waiting).reduce((sum, items) => sum + items.length, 0));
      }
    }),
  );
});

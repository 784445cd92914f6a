import { describe, expect, test } from 'vitest';
import { MicroBatcher, QueueFull, type MicroBatcherOptions } from './micro-batcher.js';

interface Run {
  items: string[];
  /** Ends the run with these results; without an argument, with each item in capitals. */
  succeed(results?: (string | Error)[]): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A batcher whose runs end when the test says so. `runs` has every batch that was started, in order. */
function controlledBatcher({
  maxBatch = 100,
  maxQueued = 100,
  ...others
}: Partial<MicroBatcherOptions<string, string>> = {}) {
  const runs: Run[] = [];
  const batcher = new MicroBatcher<string, string>({
    maxBatch,
    maxQueued,
    ...others,
    run: (items) =>
      new Promise((resolve, reject) => {
        runs.push({
          items,
          succeed: (results = items.map((item) => item.toUpperCase())) => settled(() => resolve(results)),
          fail: (error) => settled(() => reject(error)),
        });
      }),
  });
  return { batcher, runs, batches: () => runs.map(({ items }) => items) };
}

/** Runs `act` and lets all its consequences happen. */
async function settled(act: () => void = () => undefined): Promise<void> {
  act();
  await new Promise((resolve) => setImmediate(resolve));
}

/** The state of a promise now. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = 'pending';
  promise.then(
    (value) => (state = { value }),
    (error: unknown) => (state = { error }),
  );
  await settled();
  return state;
}

describe('starting', () => {
  test('an idle batcher starts its first item at once, in the same tick', () => {
    const { batcher, batches } = controlledBatcher();
    void batcher.add('a');
    expect(batches()).toEqual([['a']]);
    expect(batcher.queued).toBe(0);
  });

  test('items that arrive while a batch runs wait, and form the next batch, in order of arrival', async () => {
    const { batcher, runs, batches } = controlledBatcher();
    const answers = ['a', 'b', 'c', 'd'].map((item) => batcher.add(item));
    expect(batcher.queued).toBe(3);
    await settled();
    expect(batches()).toEqual([['a']]);

    await runs[0]!.succeed();
    expect(batches()).toEqual([['a'], ['b', 'c', 'd']]);
    expect(await stateOf(answers[0]!)).toEqual({ value: 'A' });
    expect(await stateOf(answers[1]!)).toBe('pending');

    await runs[1]!.succeed();
    expect(await Promise.all(answers)).toEqual(['A', 'B', 'C', 'D']);
    expect(batches()).toHaveLength(2);
  });

  test('an item added from an answer’s own continuation is in a batch once', async () => {
    const { batcher, runs, batches } = controlledBatcher();
    const second = batcher.add('a').then(() => batcher.add('b'));
    await runs[0]!.succeed();
    await runs[1]!.succeed();
    expect(await second).toBe('B');
    expect(batches()).toEqual([['a'], ['b']]);
  });

  test('once idle again, it starts at once again', async () => {
    const { batcher, runs, batches } = controlledBatcher();
    const first = batcher.add('a');
    await runs[0]!.succeed();
    await first;
    void batcher.add('b');
    expect(batches()).toEqual([['a'], ['b']]);
  });
});

describe('items of several owners', () => {
  const ownerOf = (item: string) => item[0];

  test('share each batch in turn, even if one has sent more', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxBatch: 3, ownerOf });
    const answers = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((item) => batcher.add(item));
    for (let index = 0; index < 3; index++) await runs[index]!.succeed();
    expect(batches()).toEqual([['a1'], ['a2', 'b1', 'a3'], ['b2', 'a4']]);
    expect(await Promise.all(answers)).toEqual(['A1', 'A2', 'A3', 'A4', 'B1', 'B2']);
  });

  test('find room in a queue that another has filled, whose newest items are refused', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxQueued: 4, ownerOf });
    const first = batcher.add('a0');
    const [a1, a2, a3, a4] = ['a1', 'a2', 'a3', 'a4'].map((item) => batcher.add(item));
    expect(['a', 'b'].map((owner) => batcher.isFullFor(owner))).toEqual([true, false]);
    await expect(batcher.add('a5')).rejects.toBeInstanceOf(QueueFull);
    const b1 = batcher.add('b1');
    await expect(a4).rejects.toBeInstanceOf(QueueFull);
    const b2 = batcher.add('b2');
    await expect(a3).rejects.toBeInstanceOf(QueueFull);
    // Each has half of it now.
    await expect(batcher.add('b3')).rejects.toBeInstanceOf(QueueFull);
    expect(batcher.queued).toBe(4);
    await runs[0]!.succeed();
    await runs[1]!.succeed();
    expect(batches()).toEqual([['a0'], ['a1', 'b1', 'a2', 'b2']]);
    expect(await Promise.all([first, a1, a2, b1, b2])).toEqual(['A0', 'A1', 'A2', 'B1', 'B2']);
  });

  test('also find room if another has sent large items rather than many', async () => {
    const size = { of: (item: string) => item.length, maxBatch: 100, maxQueued: 20 };
    const { batcher, runs, batches } = controlledBatcher({ ownerOf, size });
    void batcher.add('a0');
    const large = ['a'.repeat(10), 'a'.repeat(10)].map((item) => batcher.add(item));
    const b1 = batcher.add('b1');
    await expect(large[1]).rejects.toBeInstanceOf(QueueFull);
    await runs[0]!.succeed();
    await runs[1]!.succeed();
    expect(batches()[1]).toEqual(['a'.repeat(10), 'b1']);
    expect(await b1).toBe('B1');
  });
});

describe('items that arrive together', () => {
  test('are one batch of an idle batcher, and get their results in order', async () => {
    const { batcher, runs, batches } = controlledBatcher();
    const answers = batcher.addAll(['a', 'b', 'c']);
    expect(batches()).toEqual([['a', 'b', 'c']]);
    await runs[0]!.succeed();
    expect(await answers).toEqual(['A', 'B', 'C']);
  });

  test('share batches with earlier and later items', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxBatch: 3 });
    const answers = [batcher.add('a'), batcher.addAll(['b', 'c', 'd', 'e']), batcher.add('f')];
    for (let index = 0; index < 3; index++) await runs[index]!.succeed();
    expect(batches()).toEqual([['a'], ['b', 'c', 'd'], ['e', 'f']]);
    expect(await Promise.all(answers)).toEqual(['A', ['B', 'C', 'D', 'E'], 'F']);
  });

  test('are all taken or all refused, and of an idle batcher a whole batch needs no room', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxBatch: 2, maxQueued: 3 });
    await expect(batcher.addAll(['1', '2', '3', '4', '5', '6'])).rejects.toBeInstanceOf(QueueFull);
    expect(batches()).toEqual([]);
    const first = batcher.addAll(['a', 'b', 'c', 'd']);
    expect(batcher.queued).toBe(2);
    await expect(batcher.addAll(['refused', 'refused'])).rejects.toBeInstanceOf(QueueFull);
    const last = batcher.addAll(['e']);
    await expect(batcher.addAll(['refused'])).rejects.toBeInstanceOf(QueueFull);
    for (let index = 0; index < 3; index++) await runs[index]!.succeed();
    expect(await Promise.all([first, last])).toEqual([['A', 'B', 'C', 'D'], ['E']]);
    expect(batches()).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  test('reject with the first one that fails, and the others of the batch are answered', async () => {
    const { batcher, runs } = controlledBatcher();
    void batcher.add('first');
    const failing = batcher.addAll(['a', 'b']);
    const other = batcher.add('c');
    const refusal = new Error('b is not wanted');
    const outcomes = Promise.allSettled([failing, other]);
    await runs[0]!.succeed();
    await runs[1]!.succeed(['A', refusal, 'C']);
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: refusal },
      { status: 'fulfilled', value: 'C' },
    ]);
  });

  test('an empty group is answered at once', async () => {
    const { batcher, batches } = controlledBatcher();
    expect(await batcher.addAll([])).toEqual([]);
    expect(batches()).toEqual([]);
  });
});

describe('limits', () => {
  test('no batch has more than maxBatch items, and the rest keep their order', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxBatch: 2 });
    const answers = ['a', 'b', 'c', 'd', 'e', 'f'].map((item) => batcher.add(item));
    for (let index = 0; index < 4; index++) {
      expect(runs).toHaveLength(index + 1);
      await runs[index]!.succeed();
    }
    expect(batches()).toEqual([['a'], ['b', 'c'], ['d', 'e'], ['f']]);
    expect(await Promise.all(answers)).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
  });

  test('an item beyond maxQueued is refused with QueueFull and is never run', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxQueued: 2 });
    const taken = [batcher.add('a'), batcher.add('b')];
    expect(batcher.isFullFor(undefined)).toBe(false);
    taken.push(batcher.add('c'));
    expect(batcher.isFullFor(undefined)).toBe(true);

    await expect(batcher.add('refused')).rejects.toBeInstanceOf(QueueFull);

    await runs[0]!.succeed();
    expect(batcher.isFullFor(undefined)).toBe(false);
    taken.push(batcher.add('d'));
    await runs[1]!.succeed();
    await runs[2]!.succeed();
    expect(await Promise.all(taken)).toEqual(['A', 'B', 'C', 'D']);
    expect(batches()).toEqual([['a'], ['b', 'c'], ['d']]);
  });

  test('under a thousand items at random moments one batch runs at a time and each item once, in order', async () => {
    let running = 0;
    let most = 0;
    const ran: number[] = [];
    const batcher = new MicroBatcher<number, number>({
      maxBatch: 7,
      maxQueued: 1_000,
      run: async (items) => {
        most = Math.max(most, ++running);
        expect(items.length).toBeLessThanOrEqual(7);
        ran.push(...items);
        for (let turns = items[0]! % 3; turns > 0; turns--) await settled();
        running--;
        return items.map((item) => -item);
      },
    });
    const answers: Promise<number>[] = [];
    for (let item = 0; item < 1_000; item++) {
      answers.push(batcher.add(item));
      if (item % 11 === 0) await settled();
    }
    const items = Array.from({ length: 1_000 }, (_, item) => item);
    expect(await Promise.all(answers)).toEqual(items.map((item) => -item));
    expect(ran).toEqual(items);
    expect(most).toBe(1);
  });
});

describe('failures', () => {
  test('an Error among the results rejects its item alone', async () => {
    const { batcher, runs } = controlledBatcher();
    void batcher.add('first');
    const answers = ['a', 'b', 'c'].map((item) => batcher.add(item));
    const refusal = new Error('b is not wanted');
    // Handled in advance: an unhandled rejection would end the process.
    const outcomes = Promise.allSettled(answers);
    await runs[0]!.succeed();
    await runs[1]!.succeed(['A', refusal, 'C']);
    expect(await outcomes).toEqual([
      { status: 'fulfilled', value: 'A' },
      { status: 'rejected', reason: refusal },
      { status: 'fulfilled', value: 'C' },
    ]);
  });

  test('a rejected run rejects every item of its batch, and the next batch starts', async () => {
    const { batcher, runs, batches } = controlledBatcher({ maxBatch: 2 });
    const first = batcher.add('a');
    const failing = [batcher.add('b'), batcher.add('c')];
    const next = batcher.add('d');
    await runs[0]!.succeed();
    const failure = new Error('no connection');
    const outcomes = Promise.allSettled(failing);
    await runs[1]!.fail(failure);
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: failure },
      { status: 'rejected', reason: failure },
    ]);
    expect(batches()).toEqual([['a'], ['b', 'c'], ['d']]);
    await runs[2]!.succeed();
    expect(await Promise.all([first, next])).toEqual(['A', 'D']);
  });

  test('fail() rejects what waits and what runs, which is still run; what it has no failure for is answered', async () => {
    const { batcher, runs, batches } = controlledBatcher();
    const calls = [batcher.add('late'), batcher.addAll(['late', 'too']), batcher.add('b')];
    const outcomes = Promise.allSettled(calls);
    const refusal = new Error('too late');
    batcher.fail((item) => (item === 'late' ? refusal : undefined));
    expect(await stateOf(calls[0]!)).toEqual({ error: refusal });
    expect(await stateOf(calls[1]!)).toEqual({ error: refusal });
    await runs[0]!.succeed();
    await runs[1]!.succeed();
    expect(batches()).toEqual([['late'], ['late', 'too', 'b']]);
    expect((await outcomes)[2]).toEqual({ status: 'fulfilled', value: 'B' });
  });

  test('a run that throws at once rejects its batch like one that rejects later', async () => {
    let calls = 0;
    const batcher = new MicroBatcher<string, string>({
      maxBatch: 10,
      maxQueued: 10,
      run: (items) => {
        if (++calls === 1) throw new Error('not even begun');
        return Promise.resolve(items);
      },
    });
    await expect(batcher.add('a')).rejects.toThrow('not even begun');
    await expect(batcher.add('b')).resolves.toBe('b');
  });
});

describe('idle()', () => {
  test('resolves at once if nothing runs', async () => {
    const { batcher } = controlledBatcher();
    await expect(batcher.idle()).resolves.toBeUndefined();
  });

  test('resolves only when the running batch and all queued items are done, for every caller', async () => {
    const { batcher, runs } = controlledBatcher({ maxBatch: 1 });
    const answers = [batcher.add('a'), batcher.add('b')];
    const idle = [batcher.idle(), batcher.idle()];
    expect(await stateOf(idle[0]!)).toBe('pending');
    await runs[0]!.succeed();
    expect(await stateOf(idle[0]!)).toBe('pending');
    await runs[1]!.succeed();
    await Promise.all(idle);
    expect(await Promise.all(answers)).toEqual(['A', 'B']);
  });

  test('resolves after a batch that failed', async () => {
    const { batcher, runs } = controlledBatcher();
    const answer = batcher.add('a').catch((error: Error) => error.message);
    const idle = batcher.idle();
    await runs[0]!.fail(new Error('failed'));
    await idle;
    expect(await answer).toBe('failed');
  });
});

describe('items of different size', () => {
  const size = { of: (item: string) => item.length, maxBatch: 6, maxQueued: 10 };

  test('a batch holds as much as the limit allows, in order of arrival', async () => {
    const { batcher, runs, batches } = controlledBatcher({ size });
    const answers = ['first', 'aa', 'bbbb', 'c'].map((item) => batcher.add(item));
    await runs[0]!.succeed();
    await runs[1]!.succeed();
    await runs[2]!.succeed();
    expect(batches()).toEqual([['first'], ['aa', 'bbbb'], ['c']]);
    expect(await Promise.all(answers)).toEqual(['FIRST', 'AA', 'BBBB', 'C']);
  });

  test('one that is larger than a batch is a batch of its own', async () => {
    const { batcher, runs, batches } = controlledBatcher({ size: { ...size, maxQueued: 100 } });
    for (const item of ['first', 'a', 'larger than any', 'b']) void batcher.add(item);
    for (const index of [0, 1, 2, 3]) await runs[index]!.succeed();
    expect(batches()).toEqual([['first'], ['a'], ['larger than any'], ['b']]);
  });

  test('the queue is full once this much waits, and has room again once it is taken', async () => {
    const { batcher, runs } = controlledBatcher({ size });
    void batcher.add('first');
    void batcher.add('12345');
    expect(batcher.isFullFor(undefined)).toBe(false);
    void batcher.add('67890');
    expect(batcher.isFullFor(undefined)).toBe(true);
    await expect(batcher.add('x')).rejects.toBeInstanceOf(QueueFull);
    await runs[0]!.succeed();
    expect(batcher.isFullFor(undefined)).toBe(false);
    void batcher.add('x');
    await runs[1]!.succeed();
    await runs[2]!.succeed();
    expect(batcher.queued).toBe(0);
  });
});

import { afterEach, describe, expect, test, vi } from 'vitest';
import { QueueFull } from '#libs/micro-batching';
import { turnsUntil } from '../../../test/support/event-loop.js';
import { Model, TimeLimitExceeded, type LoadOptions } from './model.js';
import { ModelEnded, ModelProcess } from './model-process.js';

/** A model that takes about 200 ms per row and answers the sum of its two features; see `make_slow.py` beside it. */
const SLOW = 'test/support/foreign-models/slow';
const HEART_FAILURE = 'model-artifacts/heart-failure/1';

let loaded: Model[] = [];

async function load(folder: string, options?: LoadOptions): Promise<Model> {
  const model = await Model.load(folder, options);
  loaded.push(model);
  return model;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const model of loaded) await model.release();
  loaded = [];
});

describe('where a model runs', () => {
  test('is the event loop for a quick one, and a process of its own for a slow one', async () => {
    expect((await load(HEART_FAILURE)).place).toBe('event loop');
    const slow = await load(SLOW);
    expect(slow.place).toBe('own process');
    expect(await slow.infer([[1.5, 2]])).toEqual([{ value: 3.5 }]);
  });

  test('is a process of its own if the caller wants that, and the answers are the same to the last bit', async () => {
    const here = await load(HEART_FAILURE);
    const there = await load(HEART_FAILURE, { place: 'own process' });
    expect(there.place).toBe('own process');
    const rows = Array.from({ length: 1000 }, (_, index) => here.columns.map(() => index / 7));
    expect(await there.infer(rows)).toEqual(await here.infer(rows));
    await expect(there.infer([[1]])).rejects.toThrow(/values, the model takes 8/);
    expect(await there.infer(rows.slice(0, 1))).toHaveLength(1);
  });

  test('the event loop stays responsive while a slow model loads and while it runs', async () => {
    const loading = Model.load(SLOW);
    expect(await turnsUntil(loading)).toBeGreaterThan(100);
    const model = await loading;
    loaded.push(model);
    expect(await turnsUntil(model.infer([[1, 2]]))).toBeGreaterThan(100);
  });
});

describe('the time limit', () => {
  test('rejects a call whose rows are not all answered in time, and late rows are not computed', async () => {
    const model = await load(SLOW, { timeLimitMs: 20 });
    const run = vi.spyOn(ModelProcess.prototype, 'run');
    const calls = [model.infer([[1, 1]]), model.infer([[2, 2]])];
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(TimeLimitExceeded);
    await model.release();
    expect(run.mock.calls.map(([rows]) => rows)).toEqual([[[1, 1]]]);
  });

  test('ends each call at its own deadline, while the run of the first is still in progress', async () => {
    const model = await load(SLOW, { timeLimitMs: 40 });
    const refusedAfter = async (row: number[]) => {
      const started = performance.now();
      await expect(model.infer([row])).rejects.toBeInstanceOf(TimeLimitExceeded);
      return performance.now() - started;
    };
    const first = refusedAfter([1, 1]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const second = refusedAfter([2, 2]);
    expect(await first).toBeGreaterThanOrEqual(40);
    expect(await second).toBeGreaterThanOrEqual(40);
  });

  test('names itself', async () => {
    const model = await load(SLOW, { timeLimitMs: 20 });
    await expect(model.infer([[1, 1]])).rejects.toThrow('The model did not answer within 20 ms.');
  });
});

describe('the queue', () => {
  test('has room for maxQueued rows, and takes all rows of a call or none', async () => {
    const model = await load(SLOW, { maxQueued: 2 });
    const run = vi.spyOn(ModelProcess.prototype, 'run');
    const taken = [model.infer([[1, 0]]), model.infer([[2, 0]])];
    await expect(
      model.infer([
        [9, 0],
        [9, 0],
      ]),
    ).rejects.toBeInstanceOf(QueueFull);
    taken.push(model.infer([[3, 0]]));
    await expect(model.infer([[9, 0]])).rejects.toBeInstanceOf(QueueFull);
    expect((await Promise.all(taken)).flat()).toEqual([{ value: 1 }, { value: 2 }, { value: 3 }]);
    expect(run).toHaveBeenCalledTimes(3);
  });

  test('owners take turns, and if it is full the one with the most makes room', async () => {
    const model = await load(SLOW, { maxQueued: 4 });
    const run = vi.spyOn(ModelProcess.prototype, 'run');
    const calls = [0, 1, 2, 3, 4].map((value) => model.infer([[value, 0]], { owner: 'a' }));
    calls.push(model.infer([[9, 0]], { owner: 'b' }));
    const answers = await Promise.allSettled(calls);
    expect(answers[4]).toMatchObject({ reason: expect.any(QueueFull) });
    expect(run.mock.calls.map(([rows]) => rows[0]![0])).toEqual([0, 1, 9, 2, 3]);
  });

  test('takes no more than can be answered in time', async () => {
    const model = await load(SLOW, { timeLimitMs: 20, maxQueued: 10_000 });
    const taken = Promise.allSettled([model.infer([[1, 0]]), model.infer([[2, 0]])]);
    await expect(model.infer([[3, 0]])).rejects.toBeInstanceOf(QueueFull);
    await taken;
  });
});

describe('release()', () => {
  test('waits for pending calls, may be called again, and nothing is accepted afterwards', async () => {
    const model = await load(SLOW);
    const answer = model.infer([[1, 2]]);
    await Promise.all([model.release(), model.release()]);
    expect(await answer).toEqual([{ value: 3 }]);
    await model.release();
    await expect(model.infer([[1, 2]])).rejects.toThrow('slow 1 was released');
  });
});

test('end() does not wait for pending calls, and rejects them', async () => {
  const model = await load(SLOW);
  const answers = Promise.allSettled([model.infer([[1, 2]]), model.infer([[3, 4]])]);
  await model.end();
  expect(model.hasEnded).toBe(true);
  for (const answer of await answers) {
    expect(answer).toMatchObject({ status: 'rejected', reason: expect.any(ModelEnded) });
  }
});

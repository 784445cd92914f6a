import { BoundedBuffer, type BufferLimits } from './bounded-buffer.js';

/**
 * States: idle (nothing running, nothing waiting) → running (one batch in progress; arrivals wait) → idle.
 *
 * Invariants
 * - at most one batch runs at a time, and an item is in exactly one batch;
 * - the first item of an idle batcher starts at once: there is no timer, so an idle caller pays no latency;
 * - while a batch runs, arrivals queue (at most `maxQueued`); when it returns, the queue becomes the next batch
 *   (at most `maxBatch` items), in order of arrival for each owner;
 * - if the batcher is idle, the first `maxBatch` items that arrive together start at once, so that only the rest needs
 *   room in the queue;
 * - items that make room for others (`BoundedBuffer`) are refused, as if they had just arrived;
 * - `run` gets the items in order and returns one result for each, in the same order; an `Error` in the results
 *   rejects that item alone, a rejected `run` rejects the whole batch, and the next batch starts either way.
 */
export interface MicroBatcherOptions<Item, Result> extends BufferLimits<Item> {
  run(items: Item[]): Promise<readonly (Result | Error)[]>;
  maxBatch: number;
}

/** Thrown when the queue is full: the item was never run, so the caller may retry. */
export class QueueFull extends Error {}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class MicroBatcher<Item, Result> {
  private readonly buffer: BoundedBuffer<Waiting<Item, Result>>;
  /** The batch in progress; empty if there is none. */
  private running: readonly Waiting<Item, Result>[] = [];
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: MicroBatcherOptions<Item, Result>) {
    const { maxQueued, ownerOf, size } = options;
    this.buffer = new BoundedBuffer({
      maxQueued,
      ownerOf: ownerOf && (({ item }) => ownerOf(item)),
      size: size && { ...size, of: ({ item }) => size.of(item) },
    });
  }

  /** How many items wait for the next batch. */
  get queued(): number {
    return this.buffer.length;
  }

  /** Whether one more item of this owner would be refused now. */
  isFullFor(owner: unknown): boolean {
    return this.buffer.isFullFor(owner);
  }

  /** @throws QueueFull when `maxQueued` items are already waiting. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => this.admit([{ item, resolve, reject }]));
  }

  /**
   * All of them or none. Resolves with one result each, in their order; rejects with the first failure.
   * @throws QueueFull if more than `maxQueued` items would then wait.
   */
  addAll(items: readonly Item[]): Promise<Result[]> {
    if (items.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const results = new Array<Result>(items.length);
      let missing = items.length;
      const take = (result: Result, index: number) => {
        results[index] = result;
        if (--missing === 0) resolve(results);
      };
      this.admit(items.map((item, index) => ({ item, resolve: (result) => take(result, index), reject })));
    });
  }

  /** Rejects what waits or runs, if there is a failure for it. It keeps its place, so `run` may still get it. */
  fail(failureOf: (item: Item) => Error | undefined): void {
    const tell = ({ item, reject }: Waiting<Item, Result>) => {
      const failure = failureOf(item);
      if (failure) reject(failure);
    };
    this.running.forEach(tell);
    this.buffer.forEach(tell);
  }

  /** Resolves when nothing is queued and nothing runs. */
  idle(): Promise<void> {
    if (this.running.length === 0 && this.buffer.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  private admit(waiting: readonly Waiting<Item, Result>[]): void {
    const refuse = ({ reject }: Waiting<Item, Result>) =>
      reject(new QueueFull(`${this.buffer.length} items are already waiting`));
    // If nothing runs, a batch of them starts at once.
    const taken = this.running.length === 0 ? this.options.maxBatch : 0;
    if (this.buffer.admit(waiting, taken, refuse)) this.start();
    else waiting.forEach(refuse);
  }

  private start(): void {
    if (this.running.length === 0 && this.buffer.length > 0) void this.runNext();
  }

  private async runNext(): Promise<void> {
    const batch = this.buffer.take(this.options.maxBatch);
    this.running = batch;
    let settle: () => void;
    try {
      const results = await this.options.run(batch.map((waiting) => waiting.item));
      settle = () =>
        batch.forEach((waiting, index) => {
          const result = results[index] as Result | Error;
          if (result instanceof Error) waiting.reject(result);
          else waiting.resolve(result);
        });
    } catch (error) {
      settle = () => batch.forEach((waiting) => waiting.reject(error));
    }
    this.running = [];
    // The next batch leaves before callers get these results: their work runs while the next batch is in progress.
    this.start();
    settle();
    if (this.running.length === 0) this.idleWaiters.splice(0).forEach((resolve) => resolve());
  }
}

/**
 * States: idle (nothing running, nothing waiting) → running (one batch on its way; arrivals wait) → idle.
 *
 * Invariants
 * - at most one batch runs at a time, and an item is in exactly one batch;
 * - the first item of an idle batcher starts at once: there is no timer, so an idle caller pays no latency;
 * - while a batch runs, arrivals queue (at most `maxQueued`); when it returns, the queue becomes the next batch
 *   (at most `maxBatch` items), in order of arrival;
 * - items that come together are taken together, in their order, or none of them is; of an idle batcher the first
 *   `maxBatch` of them start at once, so that only the rest needs room in the queue;
 * - `run` gets the items in order and returns one result for each, in the same order; an `Error` in the results
 *   rejects that item alone, a rejected `run` rejects the whole batch, and the next batch starts either way.
 */
export interface MicroBatcherOptions<Item, Result> {
  run(items: Item[]): Promise<readonly (Result | Error)[]>;
  maxBatch: number;
  maxQueued: number;
  /** Where items are of very unlike size: what each counts, and how much a batch and the queue may hold of it. */
  size?: { of(item: Item): number; maxBatch: number; maxQueued: number };
}

/** Thrown when the queue is full: the item was never taken, so the caller may retry. */
export class QueueFull extends Error {}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class MicroBatcher<Item, Result> {
  private queue: Waiting<Item, Result>[] = [];
  private queuedSize = 0;
  private running = 0;
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: MicroBatcherOptions<Item, Result>) {}

  /** How many items wait for the next batch. */
  get queued(): number {
    return this.queue.length;
  }

  get isFull(): boolean {
    const { maxQueued, size } = this.options;
    return this.queue.length >= maxQueued || (size !== undefined && this.queuedSize >= size.maxQueued);
  }

  /** @throws QueueFull when `maxQueued` items wait already. */
  add(item: Item): Promise<Result> {
    if (!this.hasRoomFor(1)) return this.refuse();
    const result = this.enqueue(item);
    this.start();
    return result;
  }

  /**
   * All of them or none. Resolves with one result each, in their order; rejects with the first that fails.
   * @throws QueueFull when with them more than `maxQueued` items would wait.
   */
  addAll(items: readonly Item[]): Promise<Result[]> {
    if (!this.hasRoomFor(items.length)) return this.refuse();
    const results = items.map((item) => this.enqueue(item));
    this.start();
    return Promise.all(results);
  }

  /** Resolves when nothing is queued and nothing runs. */
  idle(): Promise<void> {
    if (this.running === 0 && this.queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** An item that is too large for the queue finds room where nothing waits. */
  private hasRoomFor(count: number): boolean {
    const { maxBatch, maxQueued, size } = this.options;
    if (size !== undefined && this.queuedSize >= size.maxQueued) return false;
    return this.queue.length + count <= maxQueued + (this.running === 0 ? maxBatch : 0);
  }

  private refuse(): Promise<never> {
    return Promise.reject(new QueueFull(`${this.queue.length} items are waiting already`));
  }

  private enqueue(item: Item): Promise<Result> {
    this.queuedSize += this.options.size?.of(item) ?? 0;
    return new Promise((resolve, reject) => this.queue.push({ item, resolve, reject }));
  }

  private start(): void {
    if (this.running === 0 && this.queue.length > 0) void this.runNext();
  }

  private async runNext(): Promise<void> {
    const batch = this.takeBatch();
    this.running = batch.length;
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
    this.running = 0;
    // The next batch leaves before anyone hears of this one: what they do with it runs while the next is on its way.
    this.start();
    settle();
    if (this.running === 0) this.idleWaiters.splice(0).forEach((resolve) => resolve());
  }

  /** From the front of the queue, at least one item. */
  private takeBatch(): Waiting<Item, Result>[] {
    const { maxBatch, size } = this.options;
    const { queue } = this;
    let count = Math.min(queue.length, maxBatch);
    if (size !== undefined) {
      let taken = size.of(queue[0]!.item);
      let fitting = 1;
      for (; fitting < count; fitting++) {
        const next = size.of(queue[fitting]!.item);
        if (taken + next > size.maxBatch) break;
        taken += next;
      }
      count = fitting;
      this.queuedSize -= taken;
    }
    this.queue = count === queue.length ? [] : queue.slice(count);
    return count === queue.length ? queue : queue.slice(0, count);
  }
}

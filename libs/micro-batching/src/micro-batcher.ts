import { FairQueue } from './fair-queue.js';

/**
 * States: idle (nothing running, nothing waiting) → running (one batch in progress; arrivals wait) → idle.
 *
 * Invariants
 * - at most one batch runs at a time, and an item is in exactly one batch;
 * - the first item of an idle batcher starts at once: there is no timer, so an idle caller pays no latency;
 * - while a batch runs, arrivals queue (at most `maxQueued`); when it returns, the queue becomes the next batch
 *   (at most `maxBatch` items), in order of arrival for each owner;
 * - items that arrive together are queued together, in their order, or not at all; if the batcher is idle, the first
 *   `maxBatch` of them start at once, so that only the rest needs room in the queue;
 * - with `ownerOf`, a batch takes from each owner in turn, and if the queue is full, the newest items of the owner with
 *   the most make room for an owner with fewer: they are refused then, as if they had just arrived;
 * - `run` gets the items in order and returns one result for each, in the same order; an `Error` in the results
 *   rejects that item alone, a rejected `run` rejects the whole batch, and the next batch starts either way.
 */
export interface MicroBatcherOptions<Item, Result> {
  run(items: Item[]): Promise<readonly (Result | Error)[]>;
  maxBatch: number;
  maxQueued: number;
  /** Whose an item is; without this, all belong to one owner. */
  ownerOf?(item: Item): unknown;
  /** If items differ widely in size: what each counts, and how much a batch and the queue may hold. */
  size?: { of(item: Item): number; maxBatch: number; maxQueued: number };
}

/** Thrown when the queue is full: the item was never run, so the caller may retry. */
export class QueueFull extends Error {}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class MicroBatcher<Item, Result> {
  private readonly queue: FairQueue<Waiting<Item, Result>>;
  private queuedSize = 0;
  /** The batch in progress; empty if there is none. */
  private running: readonly Waiting<Item, Result>[] = [];
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: MicroBatcherOptions<Item, Result>) {
    const { ownerOf = () => undefined } = options;
    this.queue = new FairQueue(({ item }) => ownerOf(item));
  }

  /** How many items wait for the next batch. */
  get queued(): number {
    return this.queue.length;
  }

  get isFull(): boolean {
    const { maxQueued, size } = this.options;
    return this.queue.length >= maxQueued || (size !== undefined && this.queuedSize >= size.maxQueued);
  }

  /** Whether one more item of this owner would be refused now. */
  isFullFor(owner: unknown): boolean {
    return this.isFull && !(this.options.ownerOf && this.queue.canDisplace(owner, 1));
  }

  /** @throws QueueFull when `maxQueued` items are already waiting. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (!this.makeRoomFor(item, 1)) return reject(this.full());
      this.enqueue({ item, resolve, reject });
      this.start();
    });
  }

  /**
   * All of them or none. Resolves with one result each, in their order; rejects with the first failure.
   * @throws QueueFull if more than `maxQueued` items would then wait.
   */
  addAll(items: readonly Item[]): Promise<Result[]> {
    if (items.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      if (!this.makeRoomFor(items[0]!, items.length)) return reject(this.full());
      const results = new Array<Result>(items.length);
      let missing = items.length;
      items.forEach((item, index) => {
        const take = (result: Result) => {
          results[index] = result;
          if (--missing === 0) resolve(results);
        };
        this.enqueue({ item, resolve: take, reject });
      });
      this.start();
    });
  }

  /** Rejects what waits or runs, if there is a failure for it. It keeps its place, so `run` may still get it. */
  fail(failureOf: (item: Item) => Error | undefined): void {
    const tell = ({ item, reject }: Waiting<Item, Result>) => {
      const failure = failureOf(item);
      if (failure) reject(failure);
    };
    this.running.forEach(tell);
    this.queue.forEach(tell);
  }

  /** Resolves when nothing is queued and nothing runs. */
  idle(): Promise<void> {
    if (this.running.length === 0 && this.queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idleWaiters.push(resolve));
  }

  /** For this many items of one owner. */
  private makeRoomFor(first: Item, count: number): boolean {
    if (this.hasRoomFor(count)) return true;
    const { ownerOf } = this.options;
    if (!ownerOf) return false;
    const displaced = this.queue.displace(ownerOf(first), count);
    if (!displaced) return false;
    for (const { item, reject } of displaced) {
      this.queuedSize -= this.sizeOf(item);
      reject(this.full());
    }
    return this.hasRoomFor(count);
  }

  /** An item that is too large for the queue is accepted if nothing waits. */
  private hasRoomFor(count: number): boolean {
    const { maxBatch, maxQueued, size } = this.options;
    if (size !== undefined && this.queuedSize >= size.maxQueued) return false;
    return this.queue.length + count <= maxQueued + (this.running.length === 0 ? maxBatch : 0);
  }

  private full(): QueueFull {
    return new QueueFull(`${this.queue.length} items are already waiting`);
  }

  private sizeOf(item: Item): number {
    return this.options.size?.of(item) ?? 0;
  }

  private enqueue(waiting: Waiting<Item, Result>): void {
    this.queuedSize += this.sizeOf(waiting.item);
    this.queue.push(waiting);
  }

  private start(): void {
    if (this.running.length === 0 && this.queue.length > 0) void this.runNext();
  }

  private async runNext(): Promise<void> {
    const batch = this.takeBatch();
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

  /** Takes at least one item. */
  private takeBatch(): Waiting<Item, Result>[] {
    const { maxBatch, size } = this.options;
    if (size === undefined) return this.queue.take(maxBatch, () => true);
    let taken = 0;
    const batch = this.queue.take(maxBatch, ({ item }) => {
      const next = size.of(item);
      if (taken > 0 && taken + next > size.maxBatch) return false;
      taken += next;
      return true;
    });
    this.queuedSize -= taken;
    return batch;
  }
}

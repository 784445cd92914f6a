import { FairQueue } from './fair-queue.js';

export interface BufferLimits<Item> {
  /** How many items may wait. */
  maxQueued: number;
  /** Whose an item is; without this, all belong to one owner. */
  ownerOf?(item: Item): unknown;
  /** If items differ widely in size: what each counts, and how much a batch and the buffer may hold. */
  size?: { of(item: Item): number; maxBatch: number; maxQueued: number };
}

/**
 * What waits, bounded in number and size.
 *
 * Invariants
 * - items that arrive together are admitted together, in their order, or not at all; they belong to one owner;
 * - at most `maxQueued` items wait, and nothing is admitted while they are `size.maxQueued` or more in size: only the last
 *   admitted may exceed it, so that an item of any size is accepted if nothing waits;
 * - with `ownerOf`, in a full buffer the newest items of the owner with the most make room for an owner with fewer.
 */
export class BoundedBuffer<Item> {
  private readonly queue: FairQueue<Item>;
  private size = 0;

  constructor(private readonly limits: BufferLimits<Item>) {
    const { ownerOf = () => undefined } = limits;
    this.queue = new FairQueue(ownerOf);
  }

  get length(): number {
    return this.queue.length;
  }

  /** Whether one more item of this owner would not be admitted now. */
  isFullFor(owner: unknown): boolean {
    const { ownerOf } = this.limits;
    return !this.hasRoomFor(1, 0) && !(ownerOf && this.queue.canDisplace(owner, 1));
  }

  /**
   * @param taken as many of what waits then are taken at once, and need no room
   * @param displace told of each item that had to make room
   * @returns whether they wait now
   */
  admit(items: readonly Item[], taken: number, displace: (item: Item) => void): boolean {
    if (!this.hasRoomFor(items.length, taken)) this.makeRoomFor(items, displace);
    if (!this.hasRoomFor(items.length, taken)) return false;
    for (const item of items) {
      this.size += this.sizeOf(item);
      this.queue.push(item);
    }
    return true;
  }

  /** At most this many, and as large together as a batch may be; at least one, if one waits. */
  take(most: number): Item[] {
    const { size } = this.limits;
    if (size === undefined) return this.queue.take(most, () => true);
    let taken = 0;
    const items = this.queue.take(most, (item) => {
      const next = size.of(item);
      if (taken > 0 && taken + next > size.maxBatch) return false;
      taken += next;
      return true;
    });
    this.size -= taken;
    return items;
  }

  forEach(visit: (item: Item) => void): void {
    this.queue.forEach(visit);
  }

  private hasRoomFor(count: number, taken: number): boolean {
    const { maxQueued, size } = this.limits;
    if (size !== undefined && this.size >= size.maxQueued) return false;
    return this.queue.length + count <= maxQueued + taken;
  }

  private makeRoomFor(items: readonly Item[], displace: (item: Item) => void): void {
    const { ownerOf } = this.limits;
    const displaced = ownerOf && this.queue.displace(ownerOf(items[0]!), items.length);
    for (const item of displaced ?? []) {
      this.size -= this.sizeOf(item);
      displace(item);
    }
  }

  private sizeOf(item: Item): number {
    return this.limits.size?.of(item) ?? 0;
  }
}

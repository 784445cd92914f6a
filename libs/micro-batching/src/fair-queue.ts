/** One owner's items, from an index on: taking the first moves nothing. */
interface Lane<Item> {
  items: Item[];
  from: number;
}

/** After this many, taken items are released. */
const COMPACT_AFTER = 1_024;

/**
 * Waiting items by owner: taken from each owner in turn, so that nobody waits behind everything another has sent. In
 * a full queue, the newest items of the owner with the most make room for an owner with fewer.
 *
 * Invariants
 * - an owner's items are taken in the order in which they arrived;
 * - in `lanes` the owner whose turn it is comes first; an owner without items is not there.
 */
export class FairQueue<Item> {
  private readonly lanes = new Map<unknown, Lane<Item>>();
  /** The owner with the most items at the last lookup. */
  private greediest: unknown;
  length = 0;

  constructor(private readonly ownerOf: (item: Item) => unknown) {}

  push(item: Item): void {
    const owner = this.ownerOf(item);
    const lane = this.lanes.get(owner);
    if (lane) lane.items.push(item);
    else this.lanes.set(owner, { items: [item], from: 0 });
    this.length++;
  }

  forEach(visit: (item: Item) => void): void {
    for (const { items, from } of this.lanes.values()) {
      for (let index = from; index < items.length; index++) visit(items[index]!);
    }
  }

  /** At most this many, up to the first that there is no room for. */
  take(most: number, hasRoomFor: (item: Item) => boolean): Item[] {
    const taken: Item[] = [];
    while (taken.length < most && this.length > 0) {
      const [owner, lane] = this.lanes.entries().next().value!;
      // If no other owner waits, it is this one's turn again and again.
      const turns = this.lanes.size === 1 ? most - taken.length : 1;
      const end = Math.min(lane.from + turns, lane.items.length);
      const start = lane.from;
      while (lane.from < end && hasRoomFor(lane.items[lane.from]!)) taken.push(lane.items[lane.from++]!);
      this.length -= lane.from - start;
      this.settle(owner, lane);
      if (lane.from < end) break;
    }
    return taken;
  }

  /**
   * Makes room for this many of this owner's items, if another owner still has as many or more after that.
   * @returns what was removed; undefined if nothing has to be
   */
  displace(owner: unknown, count: number): Item[] | undefined {
    if (!this.canDisplace(owner, count)) return undefined;
    const most = this.findGreediest();
    const lane = this.lanes.get(most)!;
    const displaced = lane.items.splice(lane.items.length - count, count).toReversed();
    this.length -= count;
    if (lane.from === lane.items.length) this.lanes.delete(most);
    return displaced;
  }

  canDisplace(owner: unknown, count: number): boolean {
    const most = this.findGreediest();
    return most !== owner && this.countOf(owner) + count <= this.countOf(most) - count;
  }

  private countOf(owner: unknown): number {
    const lane = this.lanes.get(owner);
    return lane ? lane.items.length - lane.from : 0;
  }

  /** After items were taken from a lane: the next one's turn. */
  private settle(owner: unknown, lane: Lane<Item>): void {
    if (lane.from === lane.items.length) {
      this.lanes.delete(owner);
      return;
    }
    if (lane.from >= COMPACT_AFTER) {
      lane.items = lane.items.slice(lane.from);
      lane.from = 0;
    }
    if (this.lanes.size === 1) return;
    this.lanes.delete(owner);
    this.lanes.set(owner, lane);
  }

  /** Looked up again only once the last one has no more than the average: a full queue does this with each arrival. */
  private findGreediest(): unknown {
    if (this.countOf(this.greediest) > this.length / this.lanes.size) return this.greediest;
    let most = 0;
    for (const [owner, { items, from }] of this.lanes) {
      if (items.length - from <= most) continue;
      most = items.length - from;
      this.greediest = owner;
    }
    return this.greediest;
  }
}

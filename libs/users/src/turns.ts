/**
 * Work of several kinds in a few places at a time. Kinds that wait take turns, so that however much there is of one, of
 * any other as much is done: with two kinds each has at least half of what can be done.
 */
export class Turns<Kind extends string> {
  private running = 0;
  /** What waits, by kind; the kind whose last turn is longest ago comes first. */
  private readonly waiting: Map<Kind, (() => void)[]>;

  constructor(
    private readonly places: number,
    private readonly maxWaiting: Readonly<Record<Kind, number>>,
  ) {
    this.waiting = new Map((Object.keys(maxWaiting) as Kind[]).map((kind) => [kind, []]));
  }

  /** Whether as much of this kind waits as may; it is for the caller to refuse more. */
  isFull(kind: Kind): boolean {
    return this.waiting.get(kind)!.length >= this.maxWaiting[kind];
  }

  async take<T>(kind: Kind, work: () => Promise<T>): Promise<T> {
    if (this.running < this.places) this.running++;
    else await new Promise<void>((begin) => this.waiting.get(kind)!.push(begin));
    try {
      return await work();
    } finally {
      this.passOn();
    }
  }

  /** The place of what has ended goes to the next, and so is never free while something waits. */
  private passOn(): void {
    for (const [kind, queue] of this.waiting) {
      const begin = queue.shift();
      if (!begin) continue;
      this.waiting.delete(kind);
      this.waiting.set(kind, queue);
      begin();
      return;
    }
    this.running--;
  }
}

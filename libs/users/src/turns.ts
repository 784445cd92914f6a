/**
 * Runs work of several kinds, a limited number at a time. Kinds that are waiting take turns: of two kinds, each gets at
 * least half of the work done, however much there is of the other.
 */
export class Turns<Kind extends string> {
  private running = 0;
  /** Waiting work by kind. The kind whose last turn was longest ago comes first. */
  private readonly waiting: Map<Kind, (() => void)[]>;

  constructor(
    private readonly places: number,
    private readonly maxWaiting: Readonly<Record<Kind, number>>,
  ) {
    this.waiting = new Map((Object.keys(maxWaiting) as Kind[]).map((kind) => [kind, []]));
  }

  /** Whether the queue of this kind is full. The caller must then refuse more work. */
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

  /** Hands the place over directly, so that it is never free while work is waiting. */
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

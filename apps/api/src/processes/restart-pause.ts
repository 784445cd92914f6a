const LONGEST_MS = 30_000;
const LONG_LIFE_MS = 60_000;

/** How long to wait before an ended process is started again: twice as long each time that it did not live long. */
export class RestartPause {
  private nextMs: number;

  constructor(private readonly firstMs: number) {
    this.nextMs = firstMs;
  }

  after(livedMs: number): number {
    const pauseMs = livedMs > LONG_LIFE_MS ? this.firstMs : this.nextMs;
    this.nextMs = Math.min(pauseMs * 2, LONGEST_MS);
    return pauseMs;
  }
}

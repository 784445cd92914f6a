import type { Counter } from '#libs/observability';

/** Logs answers that left without their record: at once, but not again and again. */
export class LossLog {
  private waiting?: NodeJS.Timeout;

  constructor(
    private readonly lost: Counter,
    private readonly tellEveryMs: number,
    private readonly tell: (soFar: number, reason: string) => void,
  ) {}

  /** Called after it was counted. */
  add({ message }: Error): void {
    if (this.waiting) return;
    const told = this.lost.value;
    this.tell(told, message);
    // Whatever is lost meanwhile becomes one more line at the end: the last line has the total.
    this.waiting = setTimeout(() => {
      this.waiting = undefined;
      if (this.lost.value > told) this.tell(this.lost.value, message);
    }, this.tellEveryMs).unref();
  }

  end(): void {
    clearTimeout(this.waiting);
  }
}

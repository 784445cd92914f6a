import type { Span } from '#libs/observability';

/** The steps of a record, in the trace of its request: first it waits, then it is committed. */
export class RecordTrace {
  private readonly record: Span;
  private step: Span;

  constructor(request: Span) {
    this.record = request.child('record');
    this.step = this.record.child('record queue');
  }

  committing(): void {
    this.step.end();
    this.step = this.record.child('record commit');
  }

  end(error?: unknown): void {
    for (const span of [this.step, this.record]) {
      if (error) span.fail();
      span.end();
    }
  }
}

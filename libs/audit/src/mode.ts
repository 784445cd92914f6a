import assert from 'node:assert/strict';

/** The named state of something, which only changes as its table of transitions says. */
export class Mode<Name extends string> {
  constructor(
    private now: Name,
    private readonly transitions: Readonly<Record<Name, readonly Name[]>>,
  ) {}

  is(...names: readonly Name[]): boolean {
    return names.includes(this.now);
  }

  to(next: Name): void {
    assert(this.transitions[this.now].includes(next), `${this.now} → ${next}`);
    this.now = next;
  }
}

import { isObject } from '#libs/json';
import { shortened } from './column-names.js';

/**
 * How much is recorded per row of what the answer does not depend on: columns that the model does not have, parameters, row
 * ids. Callers choose it, and analysts read it.
 */
export const MAX_EXCESS_BYTES = 64 * 1024;

const MAX_NAMES = 100;

/** What is not recorded: enough to see that there was more, and what it was. */
export class LeftOut {
  private readonly names = new Set<string>();
  private bytes = 0;

  add(bytes: number, name?: string): void {
    this.bytes += bytes;
    if (name !== undefined && this.names.size < MAX_NAMES) this.names.add(shortened(name));
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  /** Adds a member that says what was left out. */
  toldIn(kept: unknown): object {
    const foretell_truncated = { left_out: [...this.names], bytes: this.bytes };
    return { ...(isObject(kept) && kept), foretell_truncated };
  }
}

/** Room for what the model does not take, in one row or in all. */
export class Allowance {
  private left: number;

  constructor(
    private readonly leftOut: LeftOut,
    rows = 1,
  ) {
    this.left = MAX_EXCESS_BYTES * Math.max(1, rows);
  }

  /** Whether there is room; if so, it is used. */
  admits(name: string, value: unknown): boolean {
    const bytes = sizeOf(name) + sizeOf(value);
    if (bytes > this.left) {
      this.leftOut.add(bytes, name);
      return false;
    }
    this.left -= bytes;
    return true;
  }

  /** The object with the members that are taken, and as many others as there is room for. */
  membersOf(object: Record<string, unknown>, isTaken: (name: string) => boolean): Record<string, unknown> {
    if (Object.keys(object).every(isTaken)) return object;
    const members = Object.entries(object);
    const kept = members.filter(([name, value]) => isTaken(name) || this.admits(name, value));
    return kept.length === members.length ? object : Object.fromEntries(kept);
  }
}

/** In bytes of JSON. */
export function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

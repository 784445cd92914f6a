import { isObject, shortened } from './members.js';

/**
 * So much is recorded of what no answer is made of, for each row: columns that the model does not have, parameters, ids of
 * rows. It is a caller's to choose, and an analyst's to read.
 */
export const MAX_EXCESS_BYTES = 64 * 1024;

const MAX_NAMES = 100;

/** What is not recorded: as much as helps to see that there was more, and what it was. */
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

  /** With what was left out told in a member of its own. */
  toldIn(kept: unknown): object {
    const foretell_truncated = { left_out: [...this.names], bytes: this.bytes };
    return { ...(isObject(kept) && kept), foretell_truncated };
  }
}

/** Room for what the model does not take, of one row or of all. */
export class Allowance {
  private left: number;

  constructor(
    private readonly leftOut: LeftOut,
    rows = 1,
  ) {
    this.left = MAX_EXCESS_BYTES * Math.max(1, rows);
  }

  /** Whether there is room, which it then takes. */
  admits(name: string, value: unknown): boolean {
    const bytes = sizeOf(name) + sizeOf(value);
    if (bytes > this.left) {
      this.leftOut.add(bytes, name);
      return false;
    }
    this.left -= bytes;
    return true;
  }

  /** An object with the members that are taken, and as many others as there is room for. */
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

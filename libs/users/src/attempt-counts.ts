import { hash } from 'node:crypto';
import { BoundedMap } from './bounded-map.js';

/** A key and its count take about 250 bytes: 50 000 are 12 MB. */
const MAX_KEYS = 50_000;
const WINDOW_MS = 60_000;

interface Count {
  attempts: number;
  readonly endsAt: number;
}

interface Settings {
  /** How many attempts a key has within a minute. */
  limit: number;
  maxKeys?: number;
}

/**
 * Counts attempts by key (an address, a username) within a minute from the first one, in this process. Its memory is
 * bounded whatever callers send: keys are stored as hashes, so their length does not matter and no typed name stays in
 * memory; and beyond `maxKeys` the key that was not used for the longest time is forgotten.
 */
export class AttemptCounts {
  private readonly limit: number;
  private readonly counts: BoundedMap<string, Count>;

  constructor({ limit, maxKeys = MAX_KEYS }: Settings) {
    this.limit = limit;
    this.counts = new BoundedMap(maxKeys);
  }

  get size(): number {
    return this.counts.size;
  }

  /** Counts an attempt. @returns 0, or if there were too many, how many milliseconds to wait */
  add(key: string): number {
    const now = performance.now();
    const hashed = hashOf(key);
    const known = this.counts.get(hashed);
    const count = known && known.endsAt > now ? known : { attempts: 0, endsAt: now + WINDOW_MS };
    this.forgetWhatIsOver(now);
    this.counts.set(hashed, count);
    if (count.attempts >= this.limit) return count.endsAt - now;
    count.attempts++;
    return 0;
  }

  /** Uncounts an attempt. */
  takeBack(key: string): void {
    const hashed = hashOf(key);
    const count = this.counts.get(hashed);
    if (count && --count.attempts <= 0) this.counts.delete(hashed);
  }

  forget(key: string): void {
    this.counts.delete(hashOf(key));
  }

  /** Drops at most one expired key per call, so that no single call pays for all of them. */
  private forgetWhatIsOver(now: number): void {
    const { oldest } = this.counts;
    if (oldest !== undefined && this.counts.get(oldest)!.endsAt <= now) this.counts.delete(oldest);
  }
}

function hashOf(key: string): string {
  return hash('sha256', key, 'base64');
}

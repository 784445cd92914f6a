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
  /** Attempts of one key within a minute. */
  limit: number;
  maxKeys?: number;
}

/**
 * How often something was tried within a minute of the first time, by whom or at what a key says. Kept in this process,
 * in bounded memory, whatever callers send: a key is kept as a hash of it, so that its length is no matter and no name
 * that somebody typed stays here, and beyond `maxKeys` the one that was longest untouched is forgotten.
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

  /** Counts one more. @returns how long to wait where that is more than may be, else 0 */
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

  /** One that was counted was none. */
  takeBack(key: string): void {
    const hashed = hashOf(key);
    const count = this.counts.get(hashed);
    if (count && --count.attempts <= 0) this.counts.delete(hashed);
  }

  forget(key: string): void {
    this.counts.delete(hashOf(key));
  }

  /** One for each that comes, so that nobody pays for all of them. */
  private forgetWhatIsOver(now: number): void {
    const { oldest } = this.counts;
    if (oldest !== undefined && this.counts.get(oldest)!.endsAt <= now) this.counts.delete(oldest);
  }
}

function hashOf(key: string): string {
  return hash('sha256', key, 'base64');
}

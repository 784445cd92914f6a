import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** A key and its count take about 250 bytes: 50 000 are 12 MB. */
const MAX_KEYS = 50_000;
const WINDOW_MS = 60_000;

/**
 * Counts attempts by key (an address, a username) within a minute from the first one, in this process. Its memory is
 * bounded whatever callers send: keys are stored as hashes, so their length does not matter and no typed name stays in
 * memory; what is over is forgotten within another minute; and beyond `maxKeys` the key that was not used for the longest
 * time is forgotten.
 */
export class AttemptCounts {
  /** How many attempts a key has within a minute. */
  private readonly limit: number;
  private readonly counts: LRUCache<string, { attempts: number }>;

  constructor({ limit, maxKeys = MAX_KEYS }: { limit: number; maxKeys?: number }) {
    this.limit = limit;
    this.counts = new LRUCache({ max: maxKeys, ttl: WINDOW_MS, ttlResolution: 0 });
    setInterval(() => this.counts.purgeStale(), WINDOW_MS).unref();
  }

  get size(): number {
    return this.counts.size;
  }

  /** Counts an attempt. @returns 0, or if there were too many, how many milliseconds to wait */
  add(key: string): number {
    const hashed = hashOf(key);
    const count = this.counts.get(hashed);
    if (!count) {
      this.counts.set(hashed, { attempts: 1 });
      return 0;
    }
    if (count.attempts >= this.limit) return Math.max(1, this.counts.getRemainingTTL(hashed));
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
}

function hashOf(key: string): string {
  return hash('sha256', key, 'base64');
}

/** A map of at most `maxSize` entries: when it is full, the entry that was set longest ago is dropped. */
export class BoundedMap<Key, Value> {
  /** A Map iterates in order of insertion. */
  private readonly entries = new Map<Key, Value>();

  constructor(private readonly maxSize: number) {}

  get size(): number {
    return this.entries.size;
  }

  get(key: Key): Value | undefined {
    return this.entries.get(key);
  }

  /** The entry becomes the newest, even if the key was there before. */
  set(key: Key, value: Value): void {
    this.entries.delete(key);
    if (this.entries.size >= this.maxSize) this.entries.delete(this.oldest!);
    this.entries.set(key, value);
  }

  delete(key: Key): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }

  get oldest(): Key | undefined {
    return this.entries.keys().next().value;
  }
}

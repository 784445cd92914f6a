/**
 * Measurements as plain numbers: the code that does the work adds to them, and they are read on request. A kept
 * histogram takes some twenty nanoseconds, prom-client's with labels 440 (docs/adr/0014).
 */

/** Only ever grows, from the start of the process. */
export class Counter {
  value = 0;

  add(count = 1): void {
    this.value += count;
  }
}

/** How often values up to each of its bounds occurred; the last count is for values beyond them. */
export class Histogram {
  readonly counts: number[];
  sum = 0;

  constructor(readonly bounds: readonly number[]) {
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }
}

/**
 * One instrument for each set of label values that was requested, in the order of the names. Looking one up costs more
 * than using it, so code that is called often keeps it. Values come from a bounded list, never from a caller's text.
 */
export class Labelled<Instrument> {
  private readonly children = new Map<string, [values: readonly string[], instrument: Instrument]>();

  constructor(
    readonly names: readonly string[],
    private readonly create: () => Instrument,
  ) {}

  with(...values: string[]): Instrument {
    const key = values.join('\0');
    const [, instrument] = this.children.get(key) ?? this.add(key, values);
    return instrument;
  }

  [Symbol.iterator](): IterableIterator<[values: readonly string[], instrument: Instrument]> {
    return this.children.values();
  }

  private add(key: string, values: readonly string[]): [readonly string[], Instrument] {
    const child: [readonly string[], Instrument] = [values, this.create()];
    this.children.set(key, child);
    return child;
  }
}

/** Counters by one label whose values are known, each present from the start: a rate needs the zero before the one. */
export function countersBy<Value extends string>(
  name: string,
  values: readonly Value[],
): Labelled<Counter> & { with(value: Value): Counter } {
  const counters = new Labelled([name], () => new Counter());
  for (const value of values) counters.with(value);
  return counters;
}

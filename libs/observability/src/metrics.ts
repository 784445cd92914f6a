import type { Registry } from 'prom-client';
import { Counter, Histogram, Labelled } from './instruments.js';

type Type = 'counter' | 'gauge' | 'histogram';
type Labels = Record<string, string | number>;

/** How the values of several processes become one. */
type Aggregator = 'sum' | 'max';

interface Sample {
  labels: Labels;
  value: number;
  /** If it differs from the metric's own. */
  metricName?: string;
}

/** Everything that one process has measured, at one moment: in prom-client's own form, which survives a message. */
export type Snapshot = readonly {
  name: string;
  help: string;
  type: Type;
  aggregator: string;
  values: Sample[];
}[];

/** A number, or one for each set of labels; none if it cannot be read now. */
export type Reading = number | readonly (readonly [labels: Record<string, string>, value: number])[];
type Read = () => Reading | Promise<Reading>;

/** How prom-client's own metrics become one, if not by their sum: the slowest event loop, the last start. */
const WORST_OF_ALL = /^(nodejs_eventloop_lag_(?!min)|process_start_time)/;

/** Gauges with the names of counters; they also exist without `_total`, by type. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/**
 * Everything that this process measures, in Prometheus' text format by prom-client. It depends on no feature: the app
 * that composes them names their instruments.
 */
export class Metrics {
  static readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';

  private constructor(private readonly registry: Registry) {}

  /** prom-client is loaded only here, so only by processes that measure something. */
  static async create(): Promise<Metrics> {
    const { default: client } = await import('prom-client');
    const registry = new client.Registry();
    client.collectDefaultMetrics({ register: registry });
    for (const metric of registry.getMetricsAsArray() as { name: string; aggregator: string }[]) {
      if (WORST_OF_ALL.test(metric.name)) metric.aggregator = 'max';
    }
    for (const name of MISNAMED) registry.removeSingleMetric(name);
    return new Metrics(registry);
  }

  /** `counted`: or what is read on request, for a count that is kept elsewhere. */
  counter(
    name: string,
    help: string,
    counted: Counter | Labelled<Counter> | Read,
    of: Aggregator = 'sum',
  ): void {
    const read = ({ value }: Counter, labels: Labels) => [{ labels, value }];
    const samples = typeof counted === 'function' ? () => toSamples(counted) : () => samplesOf(counted, read);
    this.add(name, 'counter', help, of, samples);
  }

  /** A value that is read on request. */
  gauge(name: string, help: string, read: Read, of: Aggregator = 'sum'): void {
    this.add(name, 'gauge', help, of, () => toSamples(read));
  }

  histogram(name: string, help: string, histograms: Histogram | Labelled<Histogram>): void {
    const read = (histogram: Histogram, labels: Labels) => bucketsOf(name, histogram, labels);
    this.add(name, 'histogram', help, 'sum', () => samplesOf(histograms, read));
  }

  async snapshot(): Promise<Snapshot> {
    const metrics = (await this.registry.getMetricsAsJSON()) as unknown as Snapshot;
    // Without observations a value is not a number, which a message cannot carry.
    return metrics.map((metric) => ({
      ...metric,
      values: metric.values.filter(({ value }) => Number.isFinite(value)),
    }));
  }

  private add(
    name: string,
    type: Type,
    help: string,
    aggregator: Aggregator,
    values: () => Sample[] | Promise<Sample[]>,
  ): void {
    const get = async () => ({ name, help, type, aggregator, values: await values() });
    // Everything that a registry needs of a metric.
    this.registry.registerMetric({ name, get } as never);
  }
}

/** What several processes measured, as if it were one. */
export async function textOf(snapshots: readonly Snapshot[]): Promise<string> {
  return (await merged(snapshots)).metrics();
}

/** Everything that only grows, from all of them together. */
export async function growthOf(snapshots: readonly Snapshot[]): Promise<Snapshot> {
  const metrics = (await (await merged(snapshots)).getMetricsAsJSON()) as unknown as Snapshot;
  return metrics.filter(({ type, aggregator }) => type !== 'gauge' && aggregator === 'sum');
}

async function merged(snapshots: readonly Snapshot[]): Promise<Registry> {
  const { default: client } = await import('prom-client');
  return client.AggregatorRegistry.aggregate([...snapshots]);
}

async function toSamples(read: Read): Promise<Sample[]> {
  const reading = await read();
  if (typeof reading === 'number') return [{ labels: {}, value: reading }];
  return reading.map(([labels, value]) => ({ labels, value }));
}

function samplesOf<Instrument extends object>(
  instruments: Instrument | Labelled<Instrument>,
  read: (instrument: Instrument, labels: Labels) => Sample[],
): Sample[] {
  if (!(instruments instanceof Labelled)) return read(instruments, {});
  return [...instruments].flatMap(([values, instrument]) =>
    read(instrument, Object.fromEntries(instruments.names.map((name, index) => [name, values[index]!]))),
  );
}

/** Cumulative, as the format requires. */
function bucketsOf(name: string, { bounds, counts, sum }: Histogram, labels: Labels): Sample[] {
  let count = 0;
  const buckets = counts.map((inBucket, index) => ({
    metricName: `${name}_bucket`,
    labels: { le: bounds[index] ?? '+Inf', ...labels },
    value: (count += inBucket),
  }));
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

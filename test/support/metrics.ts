/** The metrics of a service, as Prometheus reads them. */
export class Samples {
  private constructor(
    readonly text: string,
    private readonly samples: readonly { name: string; labels: Record<string, string>; value: number }[],
  ) {}

  static parse(text: string): Samples {
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Samples(
      text,
      lines.map((line) => {
        const [, name, inBraces = '', value] =
          /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? fail(line);
        const labels = [...inBraces.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
          ([, label, text]) => [label!, text!] as const,
        );
        return { name: name!, labels: Object.fromEntries(labels), value: Number(value) };
      }),
    );
  }

  /** With METRICS_PORT. */
  static async read({ metricsUrl }: { metricsUrl?: string }): Promise<Samples> {
    const response = await fetch(metricsUrl!);
    if (response.status !== 200) throw new Error(`${metricsUrl}: ${response.status}`);
    return Samples.parse(await response.text());
  }

  get names(): ReadonlySet<string> {
    return new Set(this.samples.map(({ name }) => name));
  }

  /** The sum of those that have these labels, and maybe others; undefined if there is none. */
  get(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The values of one label, wherever it is used. */
  valuesOf(label: string): string[] {
    return [...new Set(this.samples.flatMap(({ labels }) => labels[label] ?? []))].toSorted();
  }
}

function fail(line: string): never {
  throw new Error(`This is no sample: ${line}`);
}

import { Counter, Histogram, Labelled } from '#libs/observability';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const OTHER = 'other';
/** The label of requests without a route: callers may make up as many paths as they like. */
export const UNKNOWN_ROUTE = 'unknown';

/** How long requests took, by route (its pattern), method and status. */
export class RequestDurations {
  readonly histograms = new Labelled(['method', 'route', 'status'], () => new Histogram(SECONDS));
  /** Refused before they had a route: not HTTP, or an invalid URL. */
  readonly unreadable = new Labelled(['status'], () => new Counter());
  /** Refused at the door (door.ts). */
  readonly shed = new Counter();
  /** route → method → status: found without building a string from the three for every request. */
  private readonly kept = new Map<string, Map<string, Map<number, Histogram>>>();

  observe(method: string, route: string, status: number, ms: number): void {
    const histogram = this.kept.get(route)?.get(method)?.get(status) ?? this.keep(method, route, status);
    histogram.observe(ms / 1000);
  }

  private keep(method: string, route: string, status: number): Histogram {
    const known = METHODS.includes(method) ? method : OTHER;
    const histogram = this.histograms.with(known, route, String(status));
    const byMethod = this.kept.get(route) ?? new Map<string, Map<number, Histogram>>();
    this.kept.set(route, byMethod);
    const byStatus = byMethod.get(method) ?? new Map<number, Histogram>();
    byMethod.set(method, byStatus);
    byStatus.set(status, histogram);
    return histogram;
  }
}

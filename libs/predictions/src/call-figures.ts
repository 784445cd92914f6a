import { Injectable } from '@nestjs/common';
import { Labelled } from '#libs/observability';

/** How often something was done, and how long it took in total. */
interface Duration {
  count: number;
  ms: number;
}

/** Where the time of an answered call went: coercing its rows, waiting for a run, its runs, writing its answer. */
export type Phases = Record<'coerceMs' | 'queueMs' | 'inferMs' | 'writeMs', number>;

/** What callers asked one version of a model; what a shadow was asked does not count. */
export class VersionCalls {
  readonly answered: Duration = { count: 0, ms: 0 };
  readonly refused: Duration = { count: 0, ms: 0 };
  /** In answered calls. */
  rows = 0;
  /** In answered calls. */
  readonly phases: Phases = { coerceMs: 0, queueMs: 0, inferMs: 0, writeMs: 0 };
  /** Milliseconds since 1970; 0 if nothing was answered. */
  lastAnsweredAt = 0;

  answer(ms: number, rows: number, phases: Phases): void {
    this.answered.count++;
    this.answered.ms += ms;
    this.rows += rows;
    this.phases.coerceMs += phases.coerceMs;
    this.phases.queueMs += phases.queueMs;
    this.phases.inferMs += phases.inferMs;
    this.phases.writeMs += phases.writeMs;
    this.lastAnsweredAt = Date.now();
  }

  refuse(ms: number): void {
    this.refused.count++;
    this.refused.ms += ms;
  }
}

/** What the models of this process were asked, by model and version: only those that are registered and were loaded. */
@Injectable()
export class CallFigures {
  readonly versions = new Labelled(['model', 'version'], () => new VersionCalls());
  /** Saves each call from building a key. */
  private readonly known = new WeakMap<object, VersionCalls>();

  of(model: { name: string; version: string }): VersionCalls {
    let calls = this.known.get(model);
    if (!calls) {
      calls = this.versions.with(model.name, model.version);
      this.known.set(model, calls);
    }
    return calls;
  }
}

import { Counter, Histogram, Labelled } from '#libs/observability';
import type { RunObserver } from '#libs/inference';

const SECONDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
  0.5, 1, 2.5, 10,
];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const LABELS = ['model', 'version'];

/** What the models of this process computed, by model and version: only those that are registered and were loaded. */
export class RunFigures {
  readonly seconds = new Labelled(LABELS, () => new Histogram(SECONDS));
  readonly rows = new Labelled(LABELS, () => new Histogram(ROWS));
  readonly failures = new Labelled(LABELS, () => new Counter());

  /** Looked up once for each model that is loaded, not for each run. */
  readonly observe = ({ name, version }: { name: string; version: string }): RunObserver => {
    const seconds = this.seconds.with(name, version);
    const rows = this.rows.with(name, version);
    const failures = this.failures.with(name, version);
    return (rowsInRun, ms) => {
      if (ms === null) {
        failures.add();
        return;
      }
      seconds.observe(ms / 1000);
      rows.observe(rowsInRun);
    };
  };
}

import { isUnavailable } from '#libs/database';
import { Counter, countersBy, Histogram } from '#libs/observability';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const RECORDS = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** What happens to the records: how many a commit has, how long it takes, and how many are lost. */
export class CommitFigures {
  readonly seconds = new Histogram(SECONDS);
  readonly records = new Histogram(RECORDS);
  /** The database is down or too slow, or it refused what is in a record. */
  readonly failures = countersBy('reason', ['unavailable', 'refused']);
  /** Records of answers that had already left. */
  readonly lost = new Counter();

  async measure<T>(records: number, commit: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      const result = await commit();
      this.seconds.observe((performance.now() - started) / 1000);
      this.records.observe(records);
      return result;
    } catch (error) {
      this.failures.with(isUnavailable(error) ? 'unavailable' : 'refused').add();
      throw error;
    }
  }
}

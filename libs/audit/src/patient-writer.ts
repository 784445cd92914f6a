import { setTimeout as sleep } from 'node:timers/promises';
import { isUnavailable } from '#libs/database';
import type { AlreadyAnswered, CommitWriter } from './commit-writer.js';
import { Mode } from './mode.js';
import type { PredictionRecord } from './prediction-record.js';

const RETRY_EVERY_MS = 250;

/** The process is ending, and whether these records were written can no longer be found out. */
export class Unresolved extends Error {}

/**
 * Writes records whose answers have already left: if the database is down, they wait until it is back, for as long as
 * this process runs. A commit whose connection broke is looked up before it is written again, so that none is written
 * twice.
 */
export class PatientWriter {
  private readonly mode = new Mode('writing', {
    writing: ['waiting', 'ending'],
    waiting: ['writing', 'ending'],
    // Only the first records that find the database down are tried again: the process has little time left.
    ending: ['ended'],
    ended: [],
  });

  constructor(private readonly commits: CommitWriter) {}

  /** @throws Unresolved, or the reason why they were not written */
  async write(records: readonly PredictionRecord[]): Promise<(string | AlreadyAnswered)[]> {
    for (let isRetry = false; ; isRetry = true) {
      if (this.mode.is('ended')) throw new Error('there is no connection to the database');
      try {
        const written = isRetry ? await this.commits.recall(records) : undefined;
        const ids = written ?? (await this.commits.write(records));
        if (this.mode.is('waiting')) this.mode.to('writing');
        return ids;
      } catch (error) {
        const { isInDoubt } = this.commits;
        const isLast = this.mode.is('ending') && (isRetry || !isInDoubt);
        if (isLast && isUnavailable(error)) this.mode.to('ended');
        if (isLast || !isUnavailable(error))
          throw isInDoubt ? new Unresolved((error as Error).message, { cause: error }) : error;
        if (this.mode.is('writing')) this.mode.to('waiting');
      }
      if (this.mode.is('waiting')) await sleep(RETRY_EVERY_MS);
    }
  }

  /** From now on it does not wait. */
  end(): void {
    if (!this.mode.is('ending', 'ended')) this.mode.to('ending');
  }
}

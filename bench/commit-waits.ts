import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const EVERY_MS = 20;

/** Shares of the time. */
export interface CommitWaits {
  /** At least one batch of records is in progress in PostgreSQL. */
  inserting: number;
  /** One of them waits until the log is on disk, or for another flush to finish. */
  flushing: number;
}

/** Samples the state of PostgreSQL, from this call until the returned function is called. */
export function watchCommits(client: pg.Client): () => Promise<CommitWaits> {
  let isOver = false;
  let [looks, inserting, flushing] = [0, 0, 0];
  const look = async () => {
    while (!isOver) {
      const { rows } = await client.query<{ waits: string | null }>(
        `SELECT wait_event AS waits FROM pg_stat_activity
         WHERE application_name = 'foretell' AND state = 'active' AND query LIKE '%INSERT INTO requests%'`,
      );
      looks++;
      if (rows.length > 0) inserting++;
      if (rows.some(({ waits }) => /^wal/i.test(waits ?? ''))) flushing++;
      await sleep(EVERY_MS);
    }
  };
  const looking = look();
  return async () => {
    isOver = true;
    await looking;
    return { inserting: inserting / looks, flushing: flushing / looks };
  };
}

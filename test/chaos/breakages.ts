import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { kill } from '../support/run-folder.js';
import type { PostgresServer } from './postgres-server.js';
import type { Road } from '../support/road.js';

export interface Breakage {
  name: string;
  /** @returns a function that repairs it, and resolves once it is repaired */
  begin: Begin<Promise<() => Promise<void>>>;
}

type Begin<T> = (postgres: PostgresServer, road: Road) => T;

/** Every connection of the service. */
const OURS = `FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'foretell%'`;

const well = async (postgres: PostgresServer) => {
  while (!(await postgres.query('SELECT 1').catch(() => undefined))) await sleep(20);
};

const broken = (name: string, begin: Begin<unknown>, end: Begin<unknown>): Breakage => ({
  name,
  begin: async (...place) => {
    await begin(...place);
    return async () => void (await end(...place));
  },
});

/** Again and again, whatever they are doing. */
const repeated = (name: string, everyMs: number, what: Begin<void>): Breakage => ({
  name,
  begin: async (...place) => {
    const repeating = setInterval(() => what(...place), everyMs);
    return async () => clearInterval(repeating);
  },
});

export const silent = broken(
  'stopped (SIGSTOP)',
  (postgres) => postgres.signal('SIGSTOP'),
  (postgres) => postgres.signal('SIGCONT'),
);

const startAgain: Begin<Promise<void>> = (postgres) => postgres.startAgain();

export const ended = broken('stopped (pg_ctl stop)', (postgres) => postgres.stop('fast'), startAgain);

export const restarted = broken('restarted', () => undefined, startAgain);

export const killed = broken(
  'killed (SIGKILL)',
  async (postgres) => {
    postgres.signal('SIGKILL');
    while (postgres.isRunning) await sleep(20);
  },
  startAgain,
);

export const backendKilled = broken(
  'one of its processes killed',
  async (postgres) => {
    const [row] = await postgres.query<{ pid: number }>(
      `SELECT pid ${OURS} AND application_name = 'foretell' LIMIT 1`,
    );
    if (row) process.kill(row.pid, 'SIGKILL');
  },
  well,
);

export const outOfConnections: Breakage = {
  name: 'out of connections',
  begin: async (postgres) => {
    const admin = await postgres.connect();
    const taken: pg.Client[] = [];
    let isOver = false;
    // For the whole breakage: our connections are ended, and free slots are taken before they reconnect.
    const eating = (async () => {
      while (!isOver) {
        await admin.query(`SELECT pg_terminate_backend(pid) ${OURS}`);
        const clients = await Promise.allSettled(Array.from({ length: 8 }, () => postgres.connect()));
        const more = clients.filter((client) => client.status === 'fulfilled').map(({ value }) => value);
        taken.push(...more);
        if (more.length === 0) await sleep(10);
      }
    })();
    return async () => {
      isOver = true;
      await eating;
      await Promise.all([admin, ...taken].map((client) => client.end()));
    };
  },
};

export const outOfDisk: Breakage = {
  name: 'out of disk',
  begin: async (postgres) => {
    const giveBack = postgres.fillDisk();
    return async () => {
      giveBack();
      // It gives up if it cannot write its log; its operator starts it again.
      if (!postgres.isRunning) await postgres.startAgain();
      await well(postgres);
    };
  },
};

/** No one can read or write a table, or any partition of a partitioned one. */
export const locked = (table: string): Breakage => ({
  name: `the table ${table} locked`,
  begin: async (postgres) => {
    const client = await postgres.connect();
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    return async () => {
      await client.query('COMMIT');
      await client.end();
    };
  },
});

/** The processes behind some of our connections are stopped, including the busiest. */
export const backendsStopped: Breakage = {
  name: 'some of its processes stopped (SIGSTOP)',
  begin: async (postgres) => {
    const rows = await postgres.query<{ pid: number }>(
      `SELECT pid ${OURS} AND application_name = 'foretell' ORDER BY query_start DESC LIMIT 6`,
    );
    for (const { pid } of rows) process.kill(pid, 'SIGSTOP');
    return async () => {
      for (const { pid } of rows) kill(pid, 'SIGCONT');
    };
  },
};

export const backendsTerminated = repeated(
  'its connections terminated (pg_terminate_backend)',
  700,
  (postgres) => void postgres.query(`SELECT pg_terminate_backend(pid) ${OURS}`).catch(() => undefined),
);

export const blocked = broken(
  'out of reach (nothing arrives)',
  (_, road) => road.block(),
  (_, road) => road.unblock(),
);

export const blockedThenCut = broken(
  'out of reach, and then cut',
  (_, road) => road.block(),
  (_, road) => {
    road.cut();
    road.unblock();
  },
);

export const halfClosed = repeated('its connections half-closed', 500, (_, road) => road.halfClose());

export const slow = broken(
  'slow (400 ms a round trip)',
  (_, road) => (road.delayMs = 200),
  (_, road) => (road.delayMs = 0),
);

export const cut = repeated('cut off', 100, (_, road) => road.cut());

/** Statements in flight are committed, but the confirmation is lost. */
export const unheard = broken(
  'its answers lost',
  (_, road) => (road.losesAnswers = true),
  (_, road) => {
    road.losesAnswers = false;
    road.cut();
  },
);

import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { prepareBatchService } from '../support/batch-service.js';
import {
  expectEveryRowOnce,
  IN_TIME,
  middleOf,
  output,
  patients,
  reached,
  rowOf,
  submitted,
} from '../support/batches.js';
import { createUser } from '../support/client.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

/** Enough for some seconds of work. */
const ROWS = 600_000;
const FILE = patients(ROWS);

const service = prepareBatchService();

async function expectEveryRow(id: string): Promise<void> {
  await reached(service.api, service.user.token, id, 'succeeded');
  expectEveryRowOnce((await output(service.api, service.user.token, id)).text, ROWS);
}

/** Its job is locked: the batch is not done, however fast it is, until the returned function is called. */
async function keptFromEnding(id: string): Promise<() => Promise<unknown>> {
  const holder = await sessions(service.database.url)();
  await holder.query('BEGIN');
  const { rowCount } = await holder.query('SELECT FROM pgboss.job WHERE id = $1 FOR UPDATE', [id]);
  expect(rowCount).toBe(1);
  return () => holder.query('ROLLBACK');
}

/** Sessions of a role, ended with the test. */
function sessions(url: string): () => Promise<pg.Client> {
  const clients: pg.Client[] = [];
  onTestFinished(async () => {
    for (const client of clients) await client.end().catch(() => undefined);
  });
  return async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
}

test('batches go on even if someone holds every advisory lock that can be guessed or seen', async () => {
  const { api, database } = service;
  // Analysts may not take them, and a role that may does not stop batches either.
  const open = sessions(database.url);
  const user = await createUser(api, database);
  const holder = await open();
  const guessed = [
    `hashtextextended('foretell batches of user ' || ${user.id}, 0)`,
    `('x' || encode(sha224((current_database() || '.pgboss.pgboss')::bytea), 'hex'))::bit(64)::bigint`,
  ];
  for (const key of guessed) await holder.query(`SELECT pg_advisory_lock(${key})`);
  // A session waits for a lock that others hold, and so blocks the next one.
  const taken = new Set<string>();
  const takeWhatIsSeen = async () => {
    const { rows } = await holder.query<{ key: string }>(
      `SELECT DISTINCT CASE WHEN objsubid = 1 THEN format('%s', (classid::bigint << 32) | objid::bigint)
               ELSE format('%s, %s', classid::bigint::int, objid::bigint::int) END AS key
       FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    for (const { key } of rows.filter(({ key }) => !taken.has(key))) {
      taken.add(key);
      void (await open()).query(`SELECT pg_advisory_lock(${key})`).catch(() => undefined);
    }
  };
  await takeWhatIsSeen();

  const id = await submitted(api, user.token, patients(5));
  await holder.query(`SELECT pg_advisory_lock(hashtextextended('foretell batch ' || $1, 0))`, [id]);
  const worker = await service.startWorker();
  await reached(api, user.token, id, 'succeeded', 30_000);

  const long = await submitted(api, service.user.token, FILE);
  await middleOf(service.batchDir, long);
  await takeWhatIsSeen();
  // It does not block the next worker either.
  await worker.signal('SIGKILL');
  await service.startWorker();
  await expectEveryRow(long);
  expect(await rowOf(service.database, long)).toMatchObject({ runs: 2 });
});

test('a read-only role cannot take the locks that are used instead', async () => {
  const name = `grace_${Math.random().toString(36).slice(2)}`;
  await service.database.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret' IN ROLE foretell_analyst`);
  onTestFinished(async () => void (await service.database.query(`DROP ROLE ${name}`)));
  const url = new URL(service.database.url);
  url.username = name;
  url.password = 'secret';
  const client = await sessions(url.href)();
  const id = await submitted(service.api, service.user.token, patients(5));
  for (const statement of [
    `SELECT FROM users WHERE id = ${service.user.id} FOR KEY SHARE`,
    `SELECT FROM batches WHERE id = '${id}' FOR KEY SHARE`,
    `UPDATE batches SET lease_expires_datetime = now() + interval '1 year' WHERE id = '${id}'`,
    `DO $$ BEGIN LOCK TABLE batches IN ROW SHARE MODE; END $$`,
    `SELECT FROM pgboss.job`,
  ]) {
    await expect(client.query(statement), statement).rejects.toThrow(/permission denied/);
  }
  await service.startWorker();
  await reached(service.api, service.user.token, id, 'succeeded');
});

describe('a lease', () => {
  test('holds while connections break: the worker goes on, in the same run', async () => {
    const { database } = service;
    const worker = await service.startWorker();
    const id = await submitted(service.api, service.user.token, FILE);
    await middleOf(service.batchDir, id);
    const letEnd = await keptFromEnding(id);
    let cut = 0;
    for (let round = 0; round < 5; round++) {
      const cuts = await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'foretell%'`,
      );
      cut += cuts.length;
      await pause(200);
    }
    expect(cut).toBeGreaterThan(2);
    expect(await rowOf(service.database, id)).toMatchObject({ state: 'running' });
    await letEnd();
    await expectEveryRow(id);
    expect(await rowOf(service.database, id)).toMatchObject({
      runs: 1,
      lost_workers: 0,
      lease_expires_datetime: null,
    });
    expect(worker.output()).not.toMatch(/unhandled|uncaught/i);
  });

  test('holds while its row is locked for a moment: no report is left behind in the server', async () => {
    const { database } = service;
    const worker = await service.startWorker();
    const id = await submitted(service.api, service.user.token, patients(5 * ROWS));
    await middleOf(service.batchDir, id);
    const holder = await sessions(database.url)();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM batches WHERE id = $1 FOR UPDATE', [id]);
    let most = 0;
    for (let look = 0; look < 60; look++) {
      // Count locks, not time: how many of the worker's statements wait for the row.
      const waiting = await database.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
           AND query LIKE '%SET rows = $3%'`,
      );
      most = Math.max(most, waiting.length);
      await pause(100);
    }
    await holder.query('ROLLBACK');
    expect(most).toBe(1);
    await reached(service.api, service.user.token, id, 'succeeded');
    expect(await rowOf(service.database, id)).toMatchObject({ runs: 1, lost_workers: 0 });
    expect(worker.output()).not.toMatch(/unhandled|uncaught/i);
  });

  test('that ran out goes to another worker: the paused one can finish nothing, and no row is lost', async () => {
    const paused = await service.startWorker();
    const id = await submitted(service.api, service.user.token, FILE);
    await middleOf(service.batchDir, id);
    const letEnd = await keptFromEnding(id);
    paused.process.kill('SIGSTOP');
    await letEnd();
    const other = await service.startWorker();
    await expect.poll(async () => (await rowOf(service.database, id)).runs, IN_TIME).toBe(2);
    paused.process.kill('SIGCONT');
    await expect.poll(paused.output, IN_TIME).toContain(`batch ${id}: lost`);
    await expectEveryRow(id);
    expect(other.output()).toContain(`batch ${id}: succeeded`);
    expect(paused.output()).not.toContain(`batch ${id}: succeeded`);
    expect(await rowOf(service.database, id)).toMatchObject({ runs: 2, lost_workers: 1 });
    // The paused worker still works afterwards.
    await other.signal('SIGKILL');
    const next = await submitted(service.api, service.user.token, patients(3));
    await reached(service.api, service.user.token, next, 'succeeded');
    expect(paused.output()).toContain(`batch ${next}: succeeded`);
  });
});

test('a worker that finds nothing to do keeps nothing in memory, however often it looks', async () => {
  const worker = await service.startWorker();
  // It looks at every notification; each look used to leave a listener behind.
  for (let look = 0; look < 60; look++) {
    await service.database.query(`SELECT pg_notify('foretell_batches', '')`);
    await pause(20);
  }
  const id = await submitted(service.api, service.user.token, patients(3));
  await reached(service.api, service.user.token, id, 'succeeded');
  expect(worker.output()).not.toContain('MaxListenersExceededWarning');
});

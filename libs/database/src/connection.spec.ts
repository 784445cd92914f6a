import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { prepareDatabase } from '../../../test/support/prepared-service.js';
import { createDataSource, poolOf, queryPatiently } from './data-source.js';
import { isUnavailable } from './postgres-errors.js';

const ANSWER_MS = 400;

const database = prepareDatabase({ empty: true });
let dataSource: DataSource;

beforeAll(() => database.query('CREATE TABLE things (name text); CREATE TABLE doors (name text)'));

beforeEach(async () => {
  await database.query('TRUNCATE things, doors');
  dataSource = createDataSource({ url: database.url, poolSize: 1, entities: [], queryTimeoutMs: ANSWER_MS });
  await dataSource.initialize();
});

afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
});

const names = async () =>
  (await database.query<{ name: string }>('SELECT name FROM things ORDER BY name')).map(({ name }) => name);

/** The process of the server behind the pool's only connection. */
async function backend(): Promise<number> {
  const [{ pid }] = await dataSource.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
  return pid;
}

/** Resumes it, and waits until it has ended: it still runs what it was sent before it was stopped. */
async function letEnd(pid: number): Promise<void> {
  process.kill(pid, 'SIGCONT');
  const isThere = `SELECT pid FROM pg_stat_activity WHERE pid = ${pid}`;
  await expect.poll(() => database.query(isThere)).toEqual([]);
}

/** A gate that blocks until it is opened. */
async function closeDoor(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE doors IN ACCESS EXCLUSIVE MODE');
  return () => client.query('COMMIT').then(() => client.end());
}

test('a transaction without an answer from PostgreSQL loses its connection, and no one else uses it', async () => {
  const pid = await backend();
  const lost = dataSource.transaction(async (manager) => {
    await manager.query(`INSERT INTO things VALUES ('lost')`);
    process.kill(pid, 'SIGSTOP');
    await manager.query('SELECT 1');
  });
  try {
    await expect(lost).rejects.toThrow('did not answer');
    await dataSource.query(`INSERT INTO things VALUES ('kept')`);
    expect(await backend()).not.toBe(pid);
  } finally {
    await letEnd(pid);
  }
  await dataSource.destroy();
  expect(await names()).toEqual(['kept']);
});

test.each([
  ['before its COMMIT', () => Promise.resolve()],
  ['before another statement', (manager: EntityManager) => manager.query('SELECT 1')],
])('a transaction whose connection ends %s finds PostgreSQL unavailable', async (_when, then) => {
  const ended = dataSource.transaction(async (manager) => {
    await manager.query(`INSERT INTO things VALUES ('lost')`);
    const [{ pid }] = await manager.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
    const connection = (await manager.queryRunner!.connect()) as pg.Client;
    const noticed = new Promise((resolve) => connection.once('end', resolve));
    await database.query(`SELECT pg_terminate_backend(${pid}, 5000)`);
    await noticed;
    await then(manager);
  });
  const error: unknown = await ended.catch((failure: unknown) => failure);
  expect({ error, isUnavailable: isUnavailable(error) }).toMatchObject({ isUnavailable: true });
  expect(await names()).toEqual([]);
});

test('the server gives up a transaction that waits for a lock, and what follows is committed', async () => {
  const openDoor = await closeDoor();
  try {
    const waiting = dataSource.transaction(async (manager) => {
      await manager.query(`INSERT INTO things VALUES ('lost')`);
      await manager.query(`INSERT INTO doors VALUES ('closed')`);
    });
    await expect(waiting).rejects.toMatchObject({ code: '55P03' });
    await dataSource.query(`INSERT INTO things VALUES ('kept')`);
  } finally {
    await openDoor();
  }
  await dataSource.destroy();
  expect(await names()).toEqual(['kept']);
});

test('a statement that the pool’s borrower gave up leaves no connection with a late result', async () => {
  const pid = await backend();
  process.kill(pid, 'SIGSTOP');
  try {
    await expect(poolOf(dataSource).query(`INSERT INTO things VALUES ('late')`)).rejects.toThrow(
      'did not answer',
    );
    expect((await poolOf(dataSource).query(`SELECT 'answer' AS text`)).rows).toEqual([{ text: 'answer' }]);
  } finally {
    await letEnd(pid);
  }
});

test('a connection that comes back inside a transaction is thrown away', async () => {
  const pid = await backend();
  const client = await poolOf(dataSource).connect();
  await client.query('BEGIN');
  await client.query(`INSERT INTO things VALUES ('lost')`);
  client.release();
  await dataSource.query(`INSERT INTO things VALUES ('kept')`);
  expect(await backend()).not.toBe(pid);
  await dataSource.destroy();
  expect(await names()).toEqual(['kept']);
});

test('a connection that comes back with a statement in progress is thrown away', async () => {
  const client = await poolOf(dataSource).connect();
  const left = client.query('SELECT pg_sleep(0.2)').then(
    () => 'answered',
    () => 'ended',
  );
  client.release();
  expect(await dataSource.query(`SELECT 'answer' AS text`)).toEqual([{ text: 'answer' }]);
  expect(await left).toBe('ended');
});

test('a COMMIT that the server answers with ROLLBACK is an error', async () => {
  const done = dataSource.transaction(async (manager) => {
    await manager.query(`INSERT INTO things VALUES ('lost')`);
    await manager.query('SELECT 1/0').catch(() => undefined);
  });
  await expect(done).rejects.toThrow(/rolled back/);
  expect(await names()).toEqual([]);
});

test('the server ends a transaction that its owner abandons', async () => {
  const client = await poolOf(dataSource).connect();
  const ended = new Promise((resolve) => client.once('error', resolve));
  await client.query('BEGIN');
  await client.query(`INSERT INTO things VALUES ('lost')`);
  expect(await ended).toMatchObject({ code: '25P03' });
  client.release(true);
  expect(await names()).toEqual([]);
});

test('a server that can (PostgreSQL 17) ends a transaction that goes on and on', async () => {
  const endless = dataSource.transaction(async (manager) => {
    for (;;) {
      await manager.query('SELECT 1');
      await sleep(ANSWER_MS / 8);
    }
  });
  await expect(endless).rejects.toThrow(/transaction timeout|terminated|not queryable|released/);
  expect(await dataSource.query(`SELECT 'answer' AS text`)).toEqual([{ text: 'answer' }]);
});

test('without a limit, as in a migration, the server’s own limits do not count either', async () => {
  await database.query(
    `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET statement_timeout = 50`,
  );
  const patient = createDataSource({ url: database.url, poolSize: 1, entities: [] });
  try {
    await patient.initialize();
    expect(await patient.query('SELECT pg_sleep(0.2)')).toHaveLength(1);
  } finally {
    await patient.destroy();
    await database.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} RESET statement_timeout`);
  }
});

test('a long statement has its own limit, and the next one has the usual limit again', async () => {
  const longer = ANSWER_MS * 3;
  const patiently = (seconds: number) => queryPatiently(dataSource, 'SELECT pg_sleep($1)', [seconds], longer);
  await patiently((ANSWER_MS * 2) / 1000);
  await expect(patiently((ANSWER_MS * 6) / 1000)).rejects.toMatchObject({ code: '57014' });
  await expect(dataSource.query('SELECT pg_sleep($1)', [(ANSWER_MS * 2) / 1000])).rejects.toMatchObject({
    code: '57014',
  });
});

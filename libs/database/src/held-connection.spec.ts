import type { DataSource } from 'typeorm';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { prepareDatabase } from '../../../test/support/prepared-service.js';
import { createDataSource } from './data-source.js';
import { HeldConnection } from './held-connection.js';

const database = prepareDatabase({ empty: true });
let dataSource: DataSource;
let held: HeldConnection;

beforeAll(() => database.query('CREATE TABLE things (name text)'));

beforeEach(async () => {
  await database.query('TRUNCATE things');
  dataSource = createDataSource({ url: database.url, poolSize: 2, entities: [], queryTimeoutMs: 400 });
  await dataSource.initialize();
  held = new HeldConnection(dataSource, 300, { endLostTimeoutMs: 200 });
});

afterEach(async () => {
  held.release();
  await dataSource.destroy();
});

const names = async () =>
  (await database.query<{ name: string }>('SELECT name FROM things ORDER BY name')).map(({ name }) => name);

function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It has ended.
  }
}

const backend = async () => (await held.query({ text: 'SELECT pg_backend_pid() AS pid' })).rows[0]!.pid;

test('a statement after which the server is inside a transaction has failed, and the connection is thrown away', async () => {
  const before = await backend();
  // A pooler in between, or other code on the connection, could have done this.
  await expect(held.query({ text: `BEGIN; INSERT INTO things VALUES ('lost')` })).rejects.toThrow(
    /transaction/,
  );
  await held.query({ text: `INSERT INTO things VALUES ('kept')` });
  expect(await backend()).not.toBe(before);
  expect(await names()).toEqual(['kept']);
});

test('a statement refused for its contents leaves the connection as it is', async () => {
  const before = await backend();
  await expect(held.query({ text: 'SELECT 1/0' })).rejects.toMatchObject({ code: '22012' });
  expect(await backend()).toBe(before);
});

test('a lost connection’s statement takes no effect once endLost has resolved', async () => {
  const pid = await backend();
  process.kill(pid, 'SIGSTOP');
  try {
    await expect(held.query({ text: `INSERT INTO things VALUES ('late')` })).rejects.toThrow(
      'did not answer',
    );
    const ended = held.endLost();
    wake(pid);
    await ended;
  } finally {
    wake(pid);
  }
  const left = await database.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid]);
  expect(left).toEqual([]);
});

test('there is no wait if the server has ended the connection itself', async () => {
  await database.query('SELECT pg_terminate_backend($1, 1000)', [await backend()]);
  await held.query({ text: 'SELECT 1' }).catch(() => undefined);
  await held.endLost();
  expect((await held.query({ text: 'SELECT 1 AS one' })).rows).toEqual([{ one: 1 }]);
});

test('the wait for a silent server is no longer than the time a stopping process has', async () => {
  const pids = [await backend(), (await dataSource.query('SELECT pg_backend_pid() AS pid'))[0].pid];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    await expect(held.query({ text: 'SELECT 1' })).rejects.toThrow('did not answer');
    await expect(held.endLost()).rejects.toThrow('did not answer within 200 ms');
  } finally {
    pids.forEach(wake);
  }
  await expect.poll(() => held.endLost().then(() => 'ended')).toBe('ended');
});

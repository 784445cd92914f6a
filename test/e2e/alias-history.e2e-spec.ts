import { modelEntities } from '#libs/models';
import { userEntities } from '#libs/users';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { AliasHistory } from '../../libs/models/src/alias-history.js';
import { openDataSource, prepareDatabase } from '../support/prepared-service.js';

const ORIGIN = { from: 'test' };
const IRIS = { name: 'iris', alias: 'production' };

const database = prepareDatabase();
let history: AliasHistory;

beforeAll(async () => {
  const entities = [...userEntities, ...modelEntities];
  history = new AliasHistory(await openDataSource(database, { entities }));
  await database.query(`
    INSERT INTO model_versions (name, version, sha256, content_sha256, manifest, registered_from)
    SELECT 'iris', version, 'hash', 'content ' || version, '{}', 'test' FROM unnest(ARRAY['1', '2', '3']) AS version`);
});

beforeEach(() => database.query('DELETE FROM model_aliases'));

const current = async () => (await history.current()).map(({ version }) => version);

test('a row is replaced by the next one, which names the one before it', async () => {
  const first = await history.add({ ...IRIS, version: '1' }, ORIGIN);
  const second = await history.add({ ...IRIS, version: '2' }, ORIGIN);
  expect(second.previous?.id).toBe(first.id);
  expect(await history.stands(first.id)).toBe(false);
  expect(await history.stands(second.id)).toBe(true);
  expect((await history.all()).map(({ version }) => version)).toEqual(['2', '1']);
  expect(await current()).toEqual(['2']);
});

test('setting the same version again adds no row', async () => {
  const first = await history.add({ ...IRIS, version: '1' }, ORIGIN);
  expect((await history.add({ ...IRIS, version: '1' }, ORIGIN)).id).toBe(first.id);
  expect(await history.all()).toHaveLength(1);
});

test('only a change that still holds is reverted: a later promotion by someone else stays', async () => {
  const failed = await history.add({ ...IRIS, version: '2' }, ORIGIN);
  await history.add({ ...IRIS, version: '3' }, ORIGIN);
  await history.add({ ...IRIS, version: '1' }, ORIGIN, failed.id);
  expect(await current()).toEqual(['3']);
});

test('an alias that is only set if it is free never replaces one', async () => {
  await history.add({ ...IRIS, version: '1' }, ORIGIN, null);
  expect(await current()).toEqual(['1']);
  await history.add({ ...IRIS, version: '2' }, ORIGIN, null);
  expect(await current()).toEqual(['1']);
});

test('ten at the same time leave one current row and a history without gaps', async () => {
  const versions = Array.from({ length: 10 }, (_, index) => String((index % 3) + 1));
  await Promise.all(versions.map((version) => history.add({ ...IRIS, version }, ORIGIN)));
  expect(await current()).toHaveLength(1);
  const [standing, ...replaced] = await history.all();
  expect(standing!.replacedDatetime).toBeNull();
  for (const row of replaced) expect(row.replacedDatetime).not.toBeNull();
});

test('an analyst, who may only read, blocks no one with any lock', async () => {
  const [analyst, password] = [`analyst_${randomBytes(4).toString('hex')}`, 'a password'];
  await database.query(`CREATE ROLE ${analyst} LOGIN PASSWORD '${password}' IN ROLE foretell_analyst`);
  const url = new URL(database.url);
  [url.username, url.password] = [analyst, password];
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await database.query(`DROP ROLE ${analyst}`);
  });
  await expect(client.query(`SELECT pg_advisory_lock(hashtext('foretell alias iris'))`)).rejects.toThrow(
    /permission denied/,
  );
  await client.query('BEGIN');
  await client.query('SELECT FROM model_versions, model_aliases');
  await client.query('LOCK TABLE model_versions, model_aliases IN ACCESS SHARE MODE');
  await client.query('SAVEPOINT before');
  for (const statement of [
    'SELECT FROM model_versions FOR KEY SHARE',
    'SELECT FROM model_aliases FOR UPDATE',
    'LOCK TABLE model_versions IN ROW SHARE MODE',
    'LOCK TABLE model_aliases IN SHARE MODE',
  ]) {
    await expect(client.query(statement), statement).rejects.toThrow(/permission denied/);
    await client.query('ROLLBACK TO before');
  }
  await history.add({ ...IRIS, version: '1' }, ORIGIN);
  await history.add({ ...IRIS, version: '2' }, ORIGIN);
  expect(await current()).toEqual(['2']);
});

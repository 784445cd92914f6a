import { expect, test } from 'vitest';
import { call, createUser, PATIENT } from '../support/client.js';
import { recordsOfUser } from '../support/records.js';
import { withClient } from '../support/postgres-client.js';
import { prepareDatabase } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';

const database = prepareDatabase();

test('a missing month is created when it is needed: a clock that jumps costs no answer', async () => {
  const api = await startApiForThisTest({ DATABASE_URL: database.url });
  const user = await createUser(api, database);
  // As if the clock of the database had jumped to a month that does not exist yet.
  const dropped = await database.query(`SELECT drop_record_partitions(now() + interval '1 month') AS name`);
  expect(dropped).toHaveLength(4);
  const predict = () => call(api, 'POST', '/predict', { body: PATIENT, token: user.token });
  const answers = await Promise.all(Array.from({ length: 8 }, predict));
  expect(answers.map(({ status }) => status)).toEqual(new Array(8).fill(200));
  expect(await recordsOfUser(database, user.id)).toHaveLength(8);
  expect((await call(api, 'GET', '/health')).status).toBe(200);
});

test('a read-only role cannot keep months from being created', async () => {
  await withClient(database.url, async (analyst) => {
    await analyst.query('SET ROLE foretell_analyst');
    // The lock that was once used for this; a database that lets no one take such locks refuses it.
    await analyst.query('SELECT pg_advisory_lock(7310005)').catch(() => undefined);
    await withClient(database.url, async (keeper) => {
      await keeper.query(`SET lock_timeout = '5s'`);
      const { rows } = await keeper.query(`SELECT create_record_partitions('2031-05-01Z', '2031-05-31Z')`);
      expect(rows).toHaveLength(4);
    });
  });
});

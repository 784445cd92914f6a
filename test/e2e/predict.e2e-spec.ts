import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type ApiProcess } from '../support/api-process.js';
import { call, createUser, PATIENT, type TestUser } from '../support/client.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

let database: TestDatabase;
let api: ApiProcess;
let user: TestUser;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi({ DATABASE_URL: database.url });
  user = await createUser(api, database);
});

afterAll(async () => {
  await api?.stop();
  await database?.drop();
});

test('answers the tutorial’s patient byte for byte', async () => {
  const answer = await call(api, 'POST', '/predict', { body: PATIENT, token: user.token });
  expect(answer.status).toBe(200);
  expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
});

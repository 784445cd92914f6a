import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { startApiForThisTest, type ApiProcess } from '../support/test-api.js';
import { call, createUser, PATIENT, type TestUser } from '../support/client.js';
import { Samples } from '../support/metrics.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const PREDICTED = { method: 'POST', route: '/predict', status: '200' };
const REQUESTS = 'foretell_http_request_duration_seconds_count';
/** Each over a connection of its own: the primary distributes connections. */
const headers = { connection: 'close' };

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

const startTwo = (environment: Record<string, string> = {}) =>
  startApiForThisTest({ DATABASE_URL: database.url, WEB_CONCURRENCY: '2', ...environment });

async function predict(api: ApiProcess, { token }: TestUser, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const answer = await call(api, 'POST', '/predict', { body: PATIENT, token, headers });
    expect(answer.status, answer.text).toBe(200);
  }
}

async function expectSoon(api: ApiProcess, name: string, value: number): Promise<void> {
  await expect.poll(async () => (await Samples.read(api)).get(name), { timeout: 30_000 }).toBe(value);
}

const servingPids = async () =>
  (await database.query<{ pid: number }>('SELECT pid FROM serving_processes')).map(({ pid }) => pid);

test('METRICS_PORT has the metrics of all processes, and keeps those of one that dies', async () => {
  const api = await startTwo({ METRICS_PORT: '0' });
  const user = await createUser(api, database);
  await predict(api, user, 20);
  const samples = await Samples.read(api);
  expect(samples.get('foretell_processes')).toBe(2);
  expect(samples.get('foretell_ready_processes')).toBe(2);
  expect(samples.get(REQUESTS, PREDICTED)).toBe(20);
  expect(samples.get('foretell_record_commit_records_sum')).toBe(20);
  expect(samples.get('foretell_model_info', { model: 'heart-failure', default: 'true' })).toBe(1);
  expect(samples.get('foretell_record_queue_limit_records')).toBe(20_000);

  const [victim] = await servingPids();
  process.kill(victim!, 'SIGKILL');
  await expectSoon(api, 'foretell_processes', 1);
  expect((await Samples.read(api)).get(REQUESTS, PREDICTED)).toBe(20);
  await expectSoon(api, 'foretell_ready_processes', 2);
  await predict(api, user, 20);
  expect((await Samples.read(api)).get(REQUESTS, PREDICTED)).toBe(40);
  expect(await api.stop()).toBe(0);
});

test('one that is too busy to answer holds no one up, and its earlier metrics still count', async () => {
  const api = await startTwo({ METRICS_PORT: '0' });
  const user = await createUser(api, database);
  await predict(api, user, 10);
  expect((await Samples.read(api)).get(REQUESTS, PREDICTED)).toBe(10);
  const [stopped] = await servingPids();
  process.kill(stopped!, 'SIGSTOP');
  onTestFinished(() => void process.kill(stopped!, 'SIGCONT'));
  const samples = await Samples.read(api);
  expect(samples.get('foretell_processes')).toBe(1);
  expect(samples.get(REQUESTS, PREDICTED)).toBe(10);
  process.kill(stopped!, 'SIGCONT');
  await expectSoon(api, 'foretell_processes', 2);
});

test('without METRICS_PORT, any process answers with the metrics of all', async () => {
  const api = await startTwo();
  const admin = await createUser(api, database, 'admin');
  await predict(api, admin, 10);
  const asked = Array.from({ length: 6 }, async () => {
    const answer = await call(api, 'GET', '/metrics', { token: admin.token, headers });
    expect(answer.status, answer.text).toBe(200);
    const samples = Samples.parse(answer.text);
    expect(samples.get('foretell_processes')).toBe(2);
    expect(samples.get(REQUESTS, PREDICTED)).toBe(10);
  });
  await Promise.all(asked);
});

test('a model’s statistics are those of all processes, whichever answers', async () => {
  const api = await startTwo();
  const { token, ...user } = await createUser(api, database);
  await predict(api, { token, ...user }, 10);
  for (let time = 0; time < 4; time++) {
    const { status, body } = await call(api, 'GET', '/v2/models/heart-failure/stats', { token, headers });
    expect(status).toBe(200);
    const [{ inference_count, inference_stats, last_inference }] = body.model_stats;
    expect([inference_count, inference_stats.success.count]).toEqual([10, 10]);
    expect(Date.now() - last_inference).toBeLessThan(60_000);
  }
});

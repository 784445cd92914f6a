import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ANSWER, call, createUser, PATIENT, type Answer, type TestUser } from '../support/client.js';
import { Samples } from '../support/metrics.js';
import { recordsOfUser } from '../support/records.js';
import { prepareDatabase, prepareService } from '../support/prepared-service.js';
import { startApi, type ApiProcess } from '../support/test-api.js';

const AUDIT_QUEUE_ROWS = 5;

const database = prepareDatabase();

const settings = (mode: string) => ({ AUDIT_MODE: mode, AUDIT_QUEUE_ROWS: String(AUDIT_QUEUE_ROWS) });
const start = (mode: string) =>
  startApi({ DATABASE_URL: database.url, METRICS_PORT: '0', ...settings(mode) });

const predictAt = (api: ApiProcess, { token }: TestUser) =>
  call(api, 'POST', '/predict', { body: PATIENT, token });

/** Keeps every record from being written until `release` is called. */
async function holdRecords(): Promise<{ untilOneWaits(): Promise<void>; release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE requests IN ACCESS EXCLUSIVE MODE');
  const release = async () => {
    await client.query('COMMIT');
    await client.end();
  };
  onTestFinished(() => release().catch(() => undefined));
  return {
    release,
    untilOneWaits: async () => {
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      while ((await client.query(waiting)).rowCount === 0) await sleep(20);
    },
  };
}

async function isPending(promise: Promise<unknown>, forMs = 0): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, sleep(forMs, pending)])) === pending;
}

async function untilRecorded(user: TestUser, count: number): Promise<void> {
  while ((await recordsOfUser(database, user.id)).length < count) await sleep(20);
}

const statusesOf = (answers: Answer[]) => answers.map(({ status }) => status);

describe('AUDIT_MODE=commit', () => {
  const { api } = prepareService(settings('commit'), { database });

  test('answers only once the record is written', async () => {
    const user = await createUser(api, database);
    const records = await holdRecords();
    const answer = predictAt(api, user);
    await records.untilOneWaits();
    expect(await isPending(answer, 300)).toBe(true);
    await records.release();
    expect((await answer).text).toBe(ANSWER);
    expect(await recordsOfUser(database, user.id)).toHaveLength(1);
  });

  test('refuses requests that find the buffer full with 503 and Retry-After, and records the rest', async () => {
    const user = await createUser(api, database);
    const records = await holdRecords();
    const answers: Promise<Answer>[] = [predictAt(api, user)];
    await records.untilOneWaits();
    // One is being written; as many as the buffer holds may wait; three are too many.
    for (let number = 0; number < AUDIT_QUEUE_ROWS + 3; number++) answers.push(predictAt(api, user));
    const settled = () => Promise.all(answers.map(async (answer) => !(await isPending(answer))));
    while ((await settled()).filter(Boolean).length < 3) await sleep(20);
    await records.release();
    const all = await Promise.all(answers);
    expect(statusesOf(all).toSorted()).toEqual([...new Array(1 + AUDIT_QUEUE_ROWS).fill(200), 503, 503, 503]);
    for (const refused of all.filter(({ status }) => status === 503)) {
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(refused.body).toMatchObject({ message: 'Overloaded', status: 503 });
      expect(refused.text).not.toContain('yhat');
    }
    const recorded = await recordsOfUser(database, user.id);
    expect(recorded.map(({ status_code }) => status_code)).toEqual(new Array(1 + AUDIT_QUEUE_ROWS).fill(200));
  });

  test('finishes the requests in flight on SIGTERM: answered, recorded, exit code 0', async () => {
    const ending = await start('commit');
    const user = await createUser(ending, database);
    const records = await holdRecords();
    const answer = predictAt(ending, user);
    await records.untilOneWaits();
    const ended = ending.stop();
    await records.release();
    expect((await answer).text).toBe(ANSWER);
    expect(await ended).toBe(0);
    expect(await recordsOfUser(database, user.id)).toHaveLength(1);
  });
});

describe('AUDIT_MODE=async', () => {
  test('loses records that do not fit its buffer, and counts them in the log and the metrics', async () => {
    const api = await start('async');
    const user = await createUser(api, database);
    const records = await holdRecords();
    expect((await predictAt(api, user)).status).toBe(200);
    await records.untilOneWaits();
    for (let number = 0; number < AUDIT_QUEUE_ROWS + 3; number++) {
      expect((await predictAt(api, user)).text).toBe(ANSWER);
    }
    await records.release();
    await untilRecorded(user, 1 + AUDIT_QUEUE_ROWS);
    expect((await Samples.read(api)).get('foretell_unrecorded_answers_total')).toBe(3);
    expect(await api.stop()).toBe(0);
    expect(await recordsOfUser(database, user.id)).toHaveLength(1 + AUDIT_QUEUE_ROWS);
    expect(api.output()).toMatch(/an answer left without its record/);
    expect(api.output()).toMatch(/3 answers left without a record since the start/);
  });

  test('writes the records in flight when its connection broke exactly once', async () => {
    const api = await start('async');
    const user = await createUser(api, database);
    const records = await holdRecords();
    for (let number = 0; number < 3; number++) {
      expect((await predictAt(api, user)).text).toBe(ANSWER);
    }
    await records.untilOneWaits();
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    await records.release();
    await untilRecorded(user, 3);
    expect(await api.stop()).toBe(0);
    expect(await recordsOfUser(database, user.id)).toHaveLength(3);
    expect(api.output()).not.toMatch(/without a record/);
  });

  test('ends in time even if PostgreSQL is silent, and logs how many answers may lack a record', async () => {
    const api = await start('async');
    const user = await createUser(api, database);
    expect((await predictAt(api, user)).status).toBe(200);
    await untilRecorded(user, 1);
    const backends = await database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'foretell%'`,
    );
    for (const { pid } of backends) process.kill(pid, 'SIGSTOP');
    try {
      for (let number = 0; number < 3; number++) {
        expect((await predictAt(api, user)).text).toBe(ANSWER);
      }
      expect(await api.stop()).toBe(0);
      const counts = [/(\d+) answers left without a record since/, /not known whether (\d+) more have one/];
      const [lost, inDoubt] = counts.map((count) => Number(count.exec(api.output())?.[1] ?? 0));
      expect(inDoubt).toBeGreaterThan(0);
      expect(lost! + inDoubt!).toBe(3);
    } finally {
      for (const { pid } of backends) process.kill(pid, 'SIGCONT');
    }
  });

  test('answers before the record is written, and on SIGTERM writes its buffer before it ends', async () => {
    const api = await start('async');
    const user = await createUser(api, database);
    const records = await holdRecords();
    for (let number = 0; number < AUDIT_QUEUE_ROWS; number++) {
      expect((await predictAt(api, user)).text).toBe(ANSWER);
    }
    await records.untilOneWaits();
    const ended = api.stop();
    await records.release();
    expect(await ended).toBe(0);
    const recorded = await recordsOfUser(database, user.id);
    expect(recorded).toHaveLength(AUDIT_QUEUE_ROWS);
    for (const record of recorded) {
      expect(record).toMatchObject({ input: PATIENT, status_code: 200, output: JSON.parse(ANSWER) });
    }
  });
});

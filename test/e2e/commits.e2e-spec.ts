import { CommitLog, positionAfter, type CommitPosition, type ReadCommit } from '#libs/audit';
import { beforeAll, describe, expect, test } from 'vitest';
import { call, createUser, PATIENT } from '../support/client.js';
import { openDataSource, prepareDatabase, prepareService } from '../support/prepared-service.js';
import { withClient } from '../support/postgres-client.js';
import { recordsOfRequest } from '../support/records.js';

const database = prepareDatabase();
const { api, user } = prepareService({}, { database });
let log: CommitLog;

beforeAll(async () => {
  log = new CommitLog(await openDataSource(database, { entities: [] }));
});

const predict = (requestId: string, headers: Record<string, string> = {}) =>
  call(api, 'POST', '/predict', {
    body: PATIENT,
    token: user.token,
    headers: { 'x-request-id': requestId, ...headers },
  });
const predictAtOnce = async (prefix: string, count: number) =>
  (await Promise.all(Array.from({ length: count }, (_, index) => predict(`${prefix}-${index}`)))).map(
    ({ status }) => status,
  );

/** Everything after a position, a few commits at a time. */
async function readAll(position: CommitPosition, limit?: number) {
  const commits: ReadCommit[] = [];
  const ids: string[] = [];
  for (;;) {
    const next = await log.readCommits(position, limit);
    if (next.length === 0) return { commits, ids, position };
    for (const commit of next) {
      const predictions = await log.predictionsIn(commit);
      expect(predictions).toHaveLength(commit.count);
      ids.push(...predictions.map(({ requestUuid }) => requestUuid));
    }
    commits.push(...next);
    position = positionAfter(position, next);
  }
}

/** How often each writer’s numbers are used, which must be once, from 1 without a gap. */
function expectNoGaps(commits: readonly ReadCommit[]): void {
  const seqs = new Map<number, string[]>();
  for (const { writer, seq } of commits) seqs.set(writer, [...(seqs.get(writer) ?? []), seq]);
  for (const numbers of seqs.values()) expect(numbers).toEqual(numbers.map((_, index) => String(index + 1)));
}

const backends = () =>
  database.query<{ pid: number }>(
    `SELECT backend_pid AS pid FROM writers
     WHERE backend_pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`,
  );

async function endConnection(): Promise<void> {
  for (const { pid } of await backends())
    await database.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
}

describe('commits of the record', () => {
  test('are rows: predictions that shared one say so, each with its place', async () => {
    expect(await predictAtOnce('shared', 30)).toEqual(new Array(30).fill(200));
    const { commits, ids } = await readAll({});
    expectNoGaps(commits);
    expect(commits.length).toBeLessThan(30);
    expect(ids.toSorted()).toEqual(Array.from({ length: 30 }, (_, index) => `shared-${index}`).toSorted());
    const places = await database.query(
      `SELECT count(*)::int, array_agg(index ORDER BY id) AS places, bool_and(created_datetime = committed_datetime) AS same
       FROM requests JOIN commits USING (writer, seq) GROUP BY writer, seq`,
    );
    for (const { count, places: found, same } of places) {
      expect([found, same]).toEqual([Array.from({ length: count as number }, (_, index) => index + 1), true]);
    }
  });

  test('are read once and in order, however few at a time, also across writers and what comes later', async () => {
    const before = await readAll({}, 2);
    await predict('earlier');
    await endConnection();
    expect(await predictAtOnce('later', 10)).toEqual(new Array(10).fill(200));
    const { commits, ids, position } = await readAll(before.position, 1);
    expect(new Set(ids)).toEqual(
      new Set(['earlier', ...Array.from({ length: 10 }, (_, index) => `later-${index}`)]),
    );
    expect(ids).toHaveLength(11);
    expect(new Set(commits.map(({ writer }) => writer)).size).toBe(2);
    expectNoGaps([...before.commits, ...commits]);
    expect((await readAll(JSON.parse(JSON.stringify(position)) as CommitPosition)).ids).toEqual([]);
    // All of it again, in any number of steps, is the same.
    expect((await readAll({}, 3)).ids).toEqual([...before.ids, ...ids]);
  });

  test('hold what the record holds', async () => {
    const { position } = await readAll({});
    const answer = await predict('in-full');
    const [commit] = await log.readCommits(position);
    const [recorded] = await recordsOfRequest(database, 'in-full');
    expect(await log.predictionsIn(commit!)).toEqual([
      {
        id: recorded!.id,
        userId: user.id,
        requestUuid: 'in-full',
        model: 'heart-failure',
        modelVersion: '1',
        dialect: 'plain',
        input: PATIENT,
        rowCount: 1,
        statusCode: 200,
        output: answer.body,
        durationMs: recorded!.duration_ms,
      },
    ]);
  });

  test('leave no number out for what is refused or was answered before; the others are recorded', async () => {
    await database.query(`ALTER TABLE requests ADD CHECK (request_uuid NOT LIKE 'refused%')`);
    const { position } = await readAll({});
    const names = ['good-1', 'refused-1', 'good-2', 'good-3', 'refused-2', 'good-4'];
    const statuses = (await Promise.all(names.map((name) => predict(name)))).map(({ status }) => status);
    expect(statuses).toEqual(names.map((name) => (name.startsWith('refused') ? 500 : 200)));
    const kept = await Promise.all(
      Array.from({ length: 6 }, (_, index) => predict(`kept-${index}`, { 'idempotency-key': 'once' })),
    );
    expect(new Set(kept.map(({ text }) => text)).size).toBe(1);
    const { ids } = await readAll(position);
    expect(ids.filter((id) => !id.startsWith('kept')).toSorted()).toEqual([
      'good-1',
      'good-2',
      'good-3',
      'good-4',
    ]);
    expect(ids.filter((id) => id.startsWith('kept'))).toHaveLength(1);
    expectNoGaps((await readAll({})).commits);
  });

  test('of a writer that has ended are looked for up to its last, and never again', async () => {
    await predict('before-the-end');
    const [ending] = await backends();
    await endConnection();
    await predict('after-the-end');
    await database.query(
      `INSERT INTO writers (uuid, process, backend_pid, backend_start)
       VALUES (gen_random_uuid(), 'gone:1', 1, '2020-01-01Z')`,
    );
    await log.endLeases();
    const writers = await database.query(
      `SELECT backend_pid, last_seq, (SELECT max(seq) FROM commits WHERE writer = id) AS seq FROM writers ORDER BY id`,
    );
    // A writer that wrote nothing is gone; the one that is left may write.
    expect(writers.at(-2)).toMatchObject({ backend_pid: ending!.pid, last_seq: writers.at(-2)!.seq });
    expect(writers.filter(({ last_seq }) => last_seq === null)).toEqual([writers.at(-1)]);
    expect((await readAll({})).ids).toContain('before-the-end');
    const { position } = await readAll({});
    await predict('still-going');
    expect((await readAll(position)).ids).toEqual(['still-going']);
  });

  test('that are missing stop the reader', async () => {
    await predictAtOnce('lost', 1);
    await predictAtOnce('next', 1);
    const [{ writer }] = (await database.query(`SELECT max(id) AS writer FROM writers`)) as [
      { writer: number },
    ];
    await database.query(
      `DELETE FROM commits WHERE writer = $1 AND seq = (SELECT max(seq) - 1 FROM commits WHERE writer = $1)`,
      [writer],
    );
    await expect(readAll({})).rejects.toThrow(`Of writer ${writer}, commits between`);
  });
});

describe('the key from requests to users', () => {
  const insert = (userId: number) =>
    `INSERT INTO requests (user_id, request_uuid, model, model_version, dialect) VALUES (${userId}, 'by-hand', 'm', '1', 'plain')`;
  const violated = { code: '23503', constraint: 'requests_user_id_fkey' };

  test('is checked for every statement: no request without a user', async () => {
    await expect(database.query(insert(4711))).rejects.toMatchObject(violated);
    await database.query(insert(user.id));
    await expect(
      database.query(`UPDATE requests SET user_id = 4711 WHERE request_uuid = 'by-hand'`),
    ).rejects.toMatchObject(violated);
  });

  test('keeps users who have asked, and lets others go', async () => {
    const [asking, silent] = [await createUser(api, database), await createUser(api, database)];
    await database.query(insert(asking.id));
    for (const change of ['DELETE FROM users', 'UPDATE users SET id = 4711'])
      await expect(database.query(`${change} WHERE id = $1`, [asking.id])).rejects.toMatchObject(violated);
    expect(await database.query('DELETE FROM users WHERE id = $1 RETURNING id', [silent.id])).toHaveLength(1);
  });

  test('holds between transactions that overlap', async () => {
    const other = await createUser(api, database);
    await withClient(database.url, async (asking) => {
      await asking.query('BEGIN');
      await asking.query(insert(other.id));
      const removed = database.query('DELETE FROM users WHERE id = $1', [other.id]).catch((error) => error);
      await asking.query('SELECT pg_sleep(0.2)');
      await asking.query('COMMIT');
      expect(await removed).toMatchObject(violated);
      await asking.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await expect(asking.query('DELETE FROM users WHERE id = $1', [other.id])).rejects.toThrow(
        'READ COMMITTED',
      );
      await asking.query('ROLLBACK');
    });
  });
});

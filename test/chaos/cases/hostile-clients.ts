import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiProcess } from '../../support/api-process.js';
import { ANSWER, call, createUser, PATIENT, type TestUser } from '../../support/client.js';
import { HOSTILE_REQUESTS, mistakesIn } from '../../support/hostile-requests.js';
import { connectTo, exchange, readAnswers, untilClosed } from '../../support/raw-http.js';
import type { ChaosCase, ChaosContext } from '../chaos-case.js';
import { assertRecorded, compareWithRecord, openPostgres, openService, watchMemory } from '../place.js';
import type { PostgresServer } from '../postgres-server.js';
import { probe } from '../prober.js';
import { startTraffic, withStatus } from '../traffic.js';

const SIZES = {
  short: { rounds: 1, slow: 200, byteEveryMs: 40, never: 0, cuts: 300 },
  full: { rounds: 6, slow: 600, byteEveryMs: 60, never: 300, cuts: 3000 },
};
const HOSTILE_AT_ONCE = 6;
const ORDINARY_CLIENTS = 4;

/** Bounds that even a machine under other load keeps; the measured values are in the figures. */
const MAX_LIVEZ_MS = 3_000;
const MAX_RESIDENT_MIB = 1_000;
const MAX_GROWTH_MIB = 400;

const BODY = JSON.stringify(PATIENT);

/** The expected record: the statuses of each request's rows. */
type Expected = Map<string, readonly number[]>;

export const hostileClients: ChaosCase = {
  name: 'hostile-clients',
  promise: 'whatever is sent and however: bounded time and memory, never a 5xx, every prediction recorded',
  async run(context) {
    const size = SIZES[context.scale];
    const postgres = await openPostgres(context);
    const api = await openService(context, postgres.url, { LOG_LEVEL: 'warn' });
    const [hostile, ordinary] = [await createUser(api, postgres), await createUser(api, postgres)];
    const expected: Expected = new Map();

    const memory = watchMemory(context, api);
    const livez = probe(`${api.url}/livez`, 20);
    const { url } = api;
    // Normal clients, who must not notice. They do not saturate the service, which is another case.
    const clients = { url, token: ordinary.token, name: 'ordinary', connections: ORDINARY_CLIENTS };
    const predictions = startTraffic({ ...clients, pauseMs: 20 });

    context.progress(`${size.slow} clients that send a byte at a time`);
    const slow = Promise.all(
      Array.from({ length: size.slow }, (_, index) =>
        sendSlowly(api, hostile, index, size.byteEveryMs, expected),
      ),
    );
    const never = Promise.all(
      Array.from({ length: size.never }, (_, index) => sendNever(api, hostile, index)),
    );
    // Awaited later: until then rejections would be unhandled.
    for (const each of [slow, never]) each.catch(() => undefined);

    const peaks: number[] = [];
    for (let round = 1; round <= size.rounds; round++) {
      context.progress(`${HOSTILE_REQUESTS.length} kinds of hostile requests, round ${round}/${size.rounds}`);
      await sendHostile(api, hostile, `round-${round}`, expected);
      peaks.push(memory.mostMbOfPart());
    }
    context.progress(`${size.cuts} connections that are cut somewhere`);
    const maybe = await cutSomewhere(api, hostile, size.cuts);
    await slow;
    for (const statuses of await never) assert.deepEqual(statuses, [408]);

    const { list: served } = await predictions.stop();
    assert.equal(withStatus(served, 200).length, served.length, 'an ordinary prediction was not answered');
    const { slowest, p99, refused } = await livez();
    const resident = memory.mostMb();
    context.figure('slow clients at once', size.slow + size.never);
    context.figure('ordinary predictions meanwhile', served.length);
    context.figure('/livez p99', `${p99.toFixed(0)} ms`);
    context.figure('/livez worst', `${slowest.toFixed(0)} ms`);
    context.figure('resident at most', `${resident} MiB`);
    assert.equal(refused, 0, '/livez was not answered with 200');
    assert.ok(slowest < MAX_LIVEZ_MS, `/livez took ${slowest} ms`);
    assert.ok(resident < MAX_RESIDENT_MIB, `it took ${resident} MiB`);
    if (peaks.length > 2) {
      const growth = peaks.at(-1)! - peaks[1]!;
      context.figure('growth from the second round to the last', `${growth} MiB`);
      assert.ok(growth < MAX_GROWTH_MIB, `it grew by ${growth} MiB: ${peaks.join(', ')}`);
    }

    assert.equal((await call(api, 'GET', '/readyz')).status, 200);
    const answer = await call(api, 'POST', '/predict', { body: PATIENT, token: ordinary.token });
    assert.equal(answer.text, ANSWER);
    assertRecorded(await compareWithRecord(postgres, 'ordinary', served));
    await assertExpected(postgres, expected, maybe, context);
    assert.doesNotMatch(api.output(), /unhandled|uncaught|"level":"(error|fatal)"/i);
  },
};

function head(id: string, token: string): string {
  return (
    `POST /predict HTTP/1.1\r\nhost: foretell\r\nconnection: close\r\nx-request-id: ${id}\r\n` +
    `authorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n`
  );
}

/** Every other one is slow with the headers, the others with the body; all of them finish in time. */
async function sendSlowly(
  api: ApiProcess,
  { token }: TestUser,
  index: number,
  byteEveryMs: number,
  expected: Expected,
): Promise<void> {
  const id = `slow-${index}`;
  const request = head(id, token) + BODY;
  const [quick, bytes] = index % 2 === 0 ? [0, 200] : [request.length - BODY.length, BODY.length];
  const socket = connectTo(api);
  socket.setNoDelay(true);
  const answer = untilClosed(socket);
  socket.write(request.slice(0, quick));
  for (let at = quick; at < quick + bytes; at++) {
    socket.write(request[at]!);
    await sleep(byteEveryMs);
  }
  socket.write(request.slice(quick + bytes));
  const answers = readAnswers(await answer).map(({ status, body }) => [status, body]);
  assert.deepEqual(answers, [[200, ANSWER]], id);
  expected.set(id, [200]);
}

/** Never finishes: the service gives up on it. */
async function sendNever(api: ApiProcess, { token }: TestUser, index: number): Promise<number[]> {
  const isInBody = index % 2 === 0;
  const request = head(`never-${index}`, token);
  const socket = connectTo(api);
  const answer = untilClosed(socket);
  socket.write(isInBody ? request : request.slice(0, 60));
  const timer = setInterval(() => socket.write(isInBody ? ' ' : 'x'), 2_000);
  const answers = readAnswers(await answer);
  clearInterval(timer);
  return answers.map(({ status }) => status);
}

async function sendHostile(
  api: ApiProcess,
  { token }: TestUser,
  round: string,
  expected: Expected,
): Promise<void> {
  const waiting = [...HOSTILE_REQUESTS.entries()];
  const client = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, { name, bytes, answers, records, isHead }] = next;
      const id = `${round}-${index}`;
      const got = await exchange(api, bytes({ token, id }), { isHead });
      const statuses = got.map(({ status }) => status);
      assert.deepEqual(statuses, answers, name);
      const mistakes = got.flatMap((answer) => mistakesIn(answer, isHead));
      assert.deepEqual(mistakes, [], name);
      expected.set(id, records);
    }
  };
  await Promise.all(Array.from({ length: HOSTILE_AT_ONCE }, client));
}

/** @returns the ids of those that may or may not have been answered */
async function cutSomewhere(api: ApiProcess, { token }: TestUser, cuts: number): Promise<string[]> {
  const ids: string[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    const id = `cut-${cut}`;
    ids.push(id);
    const request = head(id, token) + BODY;
    const socket = connectTo(api);
    // From the first byte to some time after the last one, with a FIN or with a RST.
    const length = Math.ceil((request.length * 1.2 * (cut + 1)) / cuts);
    socket.write(request.slice(0, length), () => {
      const end = () => (cut % 2 === 0 ? socket.resetAndDestroy() : socket.destroy());
      if (cut % 3 === 0) setImmediate(end);
      else end();
    });
    await once(socket, 'close');
  }
  return ids;
}

/** Every answered request has its expected rows; those that were cut have one at most. */
async function assertExpected(
  postgres: PostgresServer,
  expected: Expected,
  maybe: readonly string[],
  { figure }: ChaosContext,
): Promise<void> {
  const recorded = new Map<string, number[]>();
  const rows = await postgres.query<{ id: string; status: number | null }>(
    `SELECT request_uuid AS id, status_code AS status
     FROM requests LEFT JOIN responses ON responses.request_id = requests.id`,
  );
  for (const { id, status } of rows) {
    assert.ok(status, `${id} has a request row and no response row`);
    recorded.set(id, [...(recorded.get(id) ?? []), status]);
  }
  const inOrder = (statuses: readonly number[]) => statuses.toSorted().join();
  const wrong = [...expected].filter(
    ([id, statuses]) => inOrder(recorded.get(id) ?? []) !== inOrder(statuses),
  );
  assert.deepEqual(wrong, [], 'answered, and recorded otherwise');
  const twice = maybe.filter((id) => (recorded.get(id) ?? []).length > 1);
  assert.deepEqual(twice, [], 'recorded twice');
  figure('predictions recorded', rows.length);
}

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { openOwnPostgres } from '../../support/own-postgres.js';
import { startApi, type ApiProcess } from '../../support/api-process.js';
import { createUser, PATIENT, type TestUser } from '../../support/client.js';
import { freePort, haproxyVersion, startHaproxy } from '../../support/haproxy.js';
import type { ChaosCase } from '../chaos-case.js';

const REPLACEMENTS = { short: 2, full: 10 };
const JWT_SECRET = 'a secret for the chaos alone, of 32 bytes or more';
const ANSWER = '{"yhat_prob":"0.5124506","yhat":"1"}';
/** Some call again at once; the connections of the others lie idle meanwhile, which is when closing them is dangerous. */
const CALLERS = [
  { count: 16, pauseMs: 0 },
  { count: 16, pauseMs: 200 },
];
const PATIENCE_MS = 60_000;

/**
 * Two replicas behind HAProxy with the configuration that we recommend, both with what production has by default. One
 * after the other gets SIGTERM and, when it has ended, a successor at its address.
 */
export const rollingRestart: ChaosCase = {
  name: 'rolling-restart',
  promise: 'replicas are replaced behind a proxy under load without a failed request',
  async run(context) {
    const database = await openOwnPostgres();
    context.onEnd(() => database.close());
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    context.onEnd(() => client.end());

    const version = haproxyVersion();
    if (!version) throw new Error('This needs HAProxy: apt-get install haproxy');
    context.progress(version);

    const ports: [number, number] = [await freePort(), await freePort()];
    const replicas: Replica[] = [];
    context.onEnd(() => Promise.all(replicas.map(({ api }) => api.kill())));
    for (const port of ports) replicas.push(await startReplica(database.url, port));
    const { url: proxy, stop } = await startHaproxy(ports);
    context.onEnd(stop);
    const user = await createUser({ url: proxy }, { query: async () => [] });
    await untilServing(replicas, proxy, user);

    const load = startLoad(proxy, user);
    context.onEnd(load.stop);
    const replacements = REPLACEMENTS[context.scale];
    let latestMs = 0;
    for (let replacement = 0; replacement < replacements; replacement++) {
      const index = replacement % replicas.length;
      const old = replicas[index]!;
      const toldAt = Date.now();
      assert.equal(await old.api.stop(), 0, `the replica did not end in order:\n${old.lastWords()}`);
      latestMs = Math.max(latestMs, old.lastAnswerAt() - toldAt);
      replicas[index] = await startReplica(database.url, ports[index]!);
      await replicas[index].served();
      context.progress(
        `${replacement + 1} of ${replacements} replaced, ${load.answered.length} answered, ${load.failures.length} failed`,
      );
    }
    await load.stop();

    context.figure('replaced', replacements);
    context.figure('answered', load.answered.length);
    context.figure('failed', load.failures.length);
    context.figure('last prediction by a replica that was told to stop, ms', latestMs);
    assert.deepEqual(load.failures.slice(0, 5), []);
    await assertRecordedOnce(client, load.answered);
  },
};

interface Replica {
  api: ApiProcess;
  /** Resolves once it has answered a prediction. */
  served(): Promise<void>;
  /** Milliseconds since the epoch, by its log. */
  lastAnswerAt(): number;
  lastWords(): string;
}

async function startReplica(databaseUrl: string, port: number): Promise<Replica> {
  const api = await startApi({
    APP_ENV: 'production',
    DATABASE_URL: databaseUrl,
    JWT_SECRET,
    PORT: String(port),
    TRUST_PROXY: '1',
    REGISTRATION: 'open',
    BATCH_WORKER: 'separate',
    // Every answer is a line.
    LOG_LEVEL: 'debug',
  });
  let last = 0;
  let tail = '';
  api.process.stdout!.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-10_000);
    for (const [, time] of tail.matchAll(/"time":"([^"]+)"[^\n]*"route":"\/predict"/g)) {
      last = Math.max(last, Date.parse(time!));
    }
  });
  return {
    api,
    served: () => until(() => last > 0, 'a new replica gets no request'),
    lastAnswerAt: () => last,
    lastWords: () => tail.slice(-1_000),
  };
}

/** Resolves once both get requests from the proxy. */
async function untilServing(replicas: readonly Replica[], proxy: string, user: TestUser): Promise<void> {
  const load = startLoad(proxy, user);
  try {
    await Promise.all(replicas.map(({ served }) => served()));
  } finally {
    await load.stop();
  }
}

function startLoad(url: string, { token }: TestUser) {
  const answered: string[] = [];
  const failures: string[] = [];
  const body = JSON.stringify(PATIENT);
  const connections = CALLERS.reduce((sum, { count }) => sum + count, 0);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let isOver = false;

  const ask = async () => {
    const requestId = randomUUID();
    try {
      const { status, text } = await post(`${url}/predict`, agent, body, {
        'content-type': 'application/json',
        authorization: `Bearer ${token}`,
        'x-request-id': requestId,
      });
      if (status === 200 && text === ANSWER) answered.push(requestId);
      else failures.push(`${status} ${text}`);
    } catch (error) {
      failures.push(String(error));
    }
  };
  const call = async (pauseMs: number) => {
    while (!isOver) {
      await ask();
      if (pauseMs > 0) await sleep(Math.random() * pauseMs);
    }
  };
  const ended = Promise.all(
    CALLERS.flatMap(({ count, pauseMs }) => Array.from({ length: count }, () => call(pauseMs))),
  );
  return {
    answered,
    failures,
    stop: async () => {
      isOver = true;
      await ended;
      agent.destroy();
    },
  };
}

async function post(url: string, agent: Agent, body: string, headers: Record<string, string>) {
  const call = request(url, {
    method: 'POST',
    agent,
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
  });
  call.end(body);
  const [response] = await once(call, 'response');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode as number, text };
}

/** What was answered is in the tables, each once, with the answer that the caller got. */
async function assertRecordedOnce(client: pg.Client, answered: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ id: string; times: number }>(
    `SELECT request_uuid AS id, count(*)::int AS times
     FROM requests JOIN responses ON responses.request_id = requests.id
     WHERE status_code = 200 AND output = $1::jsonb GROUP BY request_uuid`,
    [ANSWER],
  );
  const times = new Map(rows.map(({ id, times }) => [id, times]));
  assert.deepEqual(
    answered.filter((id) => times.get(id) !== 1),
    [],
    'answered, and not recorded exactly once',
  );
}

async function until(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(otherwise);
    await sleep(20);
  }
}

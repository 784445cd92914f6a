import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApi, type ApiProcess } from '../../support/api-process.js';
import { ANSWER, call, createUser, PATIENT, type TestUser } from '../../support/client.js';
import { freePort } from '../../support/free-port.js';
import { haproxyVersion, startHaproxy } from '../../support/haproxy.js';
import type { ChaosCase } from '../chaos-case.js';
import { assertRecorded, compareWithRecord, openPostgres } from '../place.js';
import { startTraffic } from '../traffic.js';

const REPLACEMENTS = { short: 2, full: 10 };
const JWT_SECRET = 'a secret for the chaos alone, of 32 bytes or more';
/** Some call again at once; the connections of the others are idle meanwhile, when closing them is risky. */
const CALLERS = [
  { connections: 16, pauseMs: 0 },
  { connections: 16, pauseMs: 200 },
];
const PATIENCE_MS = 60_000;

/**
 * Two replicas behind HAProxy with the configuration that we recommend, both with the production defaults. One
 * after the other gets SIGTERM and, when it has ended, a successor at its address.
 */
export const rollingRestart: ChaosCase = {
  name: 'rolling-restart',
  promise: 'replicas are replaced behind a proxy under load without a failed request',
  async run(context) {
    const postgres = await openPostgres(context);
    const version = haproxyVersion();
    if (!version) throw new Error('This needs HAProxy: apt-get install haproxy');
    context.progress(version);

    const ports: [number, number] = [await freePort(), await freePort()];
    const replicas: Replica[] = [];
    context.onEnd(() => Promise.all(replicas.map(({ api }) => api.kill())));
    for (const port of ports) replicas.push(await startReplica(postgres.url, port));
    const { url: proxy, stop } = await startHaproxy(ports);
    context.onEnd(stop);
    const user = await createUser({ url: proxy }, postgres);
    const callers = startCallers(proxy, user);
    // The proxy sends requests to both.
    await Promise.all(replicas.map(({ served }) => served()));
    const replacements = REPLACEMENTS[context.scale];
    let latestMs = 0;
    for (let replacement = 0; replacement < replacements; replacement++) {
      const index = replacement % replicas.length;
      const old = replicas[index]!;
      const toldAt = Date.now();
      assert.equal(await old.api.stop(), 0, `the replica did not end in order:\n${old.lastWords()}`);
      latestMs = Math.max(latestMs, old.lastAnswerAt() - toldAt);
      replicas[index] = await startReplica(postgres.url, ports[index]!);
      await replicas[index].served();
      context.progress(
        `${replacement + 1} of ${replacements} replaced, ${callers[0]!.traffic.answered()} and ${callers[1]!.traffic.answered()} answered`,
      );
    }
    const lists = await Promise.all(callers.map(({ traffic }) => traffic.stop()));
    const all = lists.flatMap(({ list }) => list);
    const failures = all.filter(({ status }) => status !== 200);
    context.figure('replaced', replacements);
    context.figure('answered', all.length - failures.length);
    context.figure('failed', failures.length);
    context.figure('last prediction by a replica that was told to stop, ms', latestMs);
    assert.deepEqual(failures.slice(0, 5), []);
    for (const [index, { name }] of callers.entries())
      assertRecorded(await compareWithRecord(postgres, name, lists[index]!.list));
    const answer = await call({ url: proxy }, 'POST', '/predict', { body: PATIENT, token: user.token });
    assert.equal(answer.text, ANSWER);
  },
};

interface Replica {
  api: ApiProcess;
  /** Resolves once it has answered a prediction. */
  served(): Promise<void>;
  /** Milliseconds since the epoch, according to its log. */
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
    // One line per answer.
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

function startCallers(url: string, { token }: TestUser) {
  return CALLERS.map(({ connections, pauseMs }) => {
    const name = `pausing-${pauseMs}`;
    return { name, traffic: startTraffic({ url, token, name, connections, pauseMs }) };
  });
}

async function until(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(otherwise);
    await sleep(20);
  }
}

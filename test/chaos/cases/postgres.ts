import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiProcess } from '../../support/api-process.js';
import * as breakages from '../breakages.js';
import type { ChaosCase, ChaosContext } from '../chaos-case.js';
import {
  assertRecorded,
  compareWithRecord,
  openPostgres,
  openService,
  openUser,
  residentMb,
  watchMemory,
  type Comparison,
} from '../place.js';
import type { PostgresServer } from '../postgres-server.js';
import { Road } from '../road.js';
import { latencyAt, now, startTraffic, withStatus, type Exchanges } from '../traffic.js';

const CONNECTIONS = 64;
const HOLD_MS = { short: 1_500, full: 12_000 };
/** Longer than a statement may take: what was on its way when it stopped is in doubt. */
const SILENT_MS = 6_500;
const SETTINGS = {
  max_connections: '40',
  // So that a small disk holds the rest.
  max_wal_size: '64MB',
  min_wal_size: '32MB',
};
const DISK_MB = 1000;
const BOUNDS = { short: { recoveryMs: 20_000, growthMb: 400 }, full: { recoveryMs: 5_000, growthMb: 200 } };
const QUEUE_ROWS = 300;

export const postgresql: ChaosCase = {
  name: 'postgres',
  promise:
    'PostgreSQL stopped, killed, full, slow: no 200 without a record, 503 meanwhile, recovery by itself; async: the lost are counted exactly',
  async run(context) {
    const onDisk = await openDisk(context);
    const road = await Road.open(onDisk.url);
    context.onEnd(() => road.close());
    const service = await openService(context, road.url);
    const { token } = await openUser(service, onDisk);
    const memory = watchMemory(service);
    const before = residentMb(service);

    const {
      outOfDisk,
      silent,
      ended,
      restarted,
      killed,
      backendKilled,
      outOfConnections,
      locked,
      slow,
      cut,
    } = breakages;
    const table = locked('responses');
    const list = [silent, ended, restarted, killed, backendKilled, outOfConnections, table, slow, cut];
    if (onDisk.hasOwnDisk) list.push(outOfDisk);
    else context.figure('out of disk', 'NOT SHOWN, no disk can be mounted here');
    let lastId = '0';
    for (const [index, breakage] of list.entries()) {
      const name = `postgres-${index}`;
      context.progress(`${breakage.name} …`);
      const under = await breakUnderLoad(
        service,
        token,
        name,
        HOLD_MS[context.scale],
        breakage,
        onDisk,
        road,
      );
      const comparison = await compareWithRecord(onDisk, name, under.list, lastId);
      lastId = comparison.lastId;
      assertKept(breakage.name, under, comparison, BOUNDS[context.scale].recoveryMs);
      const refused = withStatus(under.list, 503);
      context.progress(
        `${breakage.name}: ${comparison.answered} answers, each with its record; ${refused.length} refused, ` +
          `p99 ${latencyAt(0.99, refused).toFixed(0)} ms; well again after ${under.recoveryMs.toFixed(0)} ms`,
      );
      context.figure(`${breakage.name}: recovery`, `${(under.recoveryMs / 1000).toFixed(1)} s`);
    }
    const most = memory();
    context.figure('memory', `${before} to ${most} MB`);
    assert.ok(most - before <= BOUNDS[context.scale].growthMb, `memory grew from ${before} to ${most} MB`);
    await service.stop();
    await answerFirst(context, onDisk, road, token, lastId);
  },
};

/** On a small disk of its own, where one can be mounted. */
async function openDisk(context: ChaosContext): Promise<PostgresServer> {
  try {
    return await openPostgres(context, SETTINGS, DISK_MB);
  } catch (error) {
    context.progress(`a full disk is not shown, because none can be mounted: ${String(error)}`);
    return openPostgres(context, SETTINGS);
  }
}

interface UnderLoad extends Exchanges {
  /** From when it was well until the last refusal, or else the first answer. */
  recoveryMs: number;
}

async function breakUnderLoad(
  service: ApiProcess,
  token: string,
  name: string,
  holdMs: number,
  breakage: breakages.Breakage,
  postgres: PostgresServer,
  road: Road,
): Promise<UnderLoad> {
  const clients = startTraffic({ url: service.url, token, name, connections: CONNECTIONS, restMs: 50 });
  await reached(clients.answered, 200);
  const mend = await breakage.begin(postgres, road);
  await sleep(holdMs);
  await mend();
  const wellAt = now();
  await reached(clients.answered, clients.answered() + 200);
  await sleep(1_500);
  const exchanges = await clients.stop();
  assert.equal(service.process.exitCode, null, `the service ended:\n${service.output()}`);
  const after = exchanges.list.filter(({ endedAt }) => endedAt > wellAt);
  const firstAnswer = Math.min(...withStatus(after, 200).map(({ endedAt }) => endedAt));
  const lastRefusal = Math.max(wellAt, ...withStatus(after, 503).map(({ endedAt }) => endedAt));
  return { ...exchanges, recoveryMs: Math.max(firstAnswer, lastRefusal) - wellAt };
}

/** @throws where it takes half a minute */
async function reached(count: () => number, least: number): Promise<void> {
  const deadline = now() + 30_000;
  while (count() < least) {
    assert.ok(now() < deadline, `${count()} answers after half a minute, not ${least}`);
    await sleep(20);
  }
}

function assertKept(
  name: string,
  { list, withoutRetryAfter, recoveryMs }: UnderLoad,
  comparison: Comparison,
  limitMs: number,
): void {
  assertRecorded(comparison);
  const others = list.filter(({ status }) => status !== 200 && status !== 503);
  assert.deepEqual(others.slice(0, 3), [], `${name}: something else than 200 and 503 was answered`);
  assert.equal(withoutRetryAfter, 0, `${name}: 503 without Retry-After`);
  assert.ok(recoveryMs <= limitMs, `${name}: recovery took ${recoveryMs.toFixed(0)} ms`);
}

/** AUDIT_MODE=async: what is answered and never recorded is as many as the log says, to the last one. */
async function answerFirst(
  context: ChaosContext,
  postgres: PostgresServer,
  road: Road,
  token: string,
  lastId: string,
): Promise<void> {
  const service = await openService(context, road.url, {
    AUDIT_MODE: 'async',
    AUDIT_QUEUE_ROWS: String(QUEUE_ROWS),
    LOG_LEVEL: 'error',
  });
  const name = 'async';
  const clients = startTraffic({ url: service.url, token, name, connections: CONNECTIONS, restMs: 20 });
  const { silent, killed, backendKilled, locked, cut, unheard } = breakages;
  for (const breakage of [locked('responses'), unheard, backendKilled, cut, killed, silent]) {
    context.progress(`answering first, ${breakage.name} …`);
    await reached(clients.answered, clients.answered() + 200);
    const mend = await breakage.begin(postgres, road);
    await sleep(breakage === silent ? SILENT_MS : HOLD_MS[context.scale] / 2);
    await mend();
  }
  await reached(clients.answered, clients.answered() + 200);
  const { list } = await clients.stop();
  assert.equal(await service.stop(), 0, `the service did not end well:\n${service.output().slice(-3000)}`);
  const counted = Number(/(\d+) answers left without a record since/.exec(service.output())?.[1] ?? 0);
  assert.doesNotMatch(service.output(), /is not known/, 'the database was there at the end');
  const { missing, wrong, answered } = await compareWithRecord(postgres, name, list, lastId);
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} records are wrong`);
  assert.equal(missing.length, counted, 'answers without a record, and how many were counted');
  assert.ok(missing.length > 0, 'nothing was lost: nothing was shown');
  context.progress(
    `answering first: ${answered} answers, ${missing.length} without a record, ${counted} counted`,
  );
  context.figure('async: answers', answered);
  context.figure('async: without a record', missing.length);
  context.figure('async: counted as such', counted);
}

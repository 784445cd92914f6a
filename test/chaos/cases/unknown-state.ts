import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createUser } from '../../support/client.js';
import * as breakages from '../breakages.js';
import type { Breakage } from '../breakages.js';
import type { ChaosCase, ChaosContext } from '../chaos-case.js';
import { assertDone, Deeds } from '../deeds.js';
import { assertRecorded, compareWithRecord, openPostgres, openService, openUser } from '../place.js';
import type { PostgresServer } from '../postgres-server.js';
import { Road } from '../road.js';
import { now, startTraffic, withStatus, type Exchange } from '../traffic.js';

const CONNECTIONS = 16;
/** Predictions a second: enough to be in the middle of one whenever something breaks, few enough for a small disk. */
const RATE = 150;
const SETTINGS = { max_wal_size: '64MB', min_wal_size: '32MB' };
const DISK_MB = 600;

interface Round {
  breakage: Breakage;
  seconds: number;
}

/** Twice as long as anybody waits, so that whatever can be given up is given up while it lasts. */
const LONG = 24;

function rounds(scale: ChaosContext['scale'], month: string): Round[] {
  const { locked, backendsStopped, backendsTerminated, silent, slow, blocked, blockedThenCut, halfClosed } =
    breakages;
  const users = { breakage: locked('users'), seconds: LONG };
  if (scale === 'short') {
    return [
      users,
      { breakage: backendsStopped, seconds: 12 },
      { breakage: backendsTerminated, seconds: 3 },
      { breakage: halfClosed, seconds: 2 },
    ];
  }
  const tables = [
    'requests',
    'responses',
    `requests${month}`,
    `responses${month}`,
    'idempotency_keys',
    'model_versions',
    'model_aliases',
    'serving_processes',
    'batches',
    'pgboss.job',
    'pgboss.queue',
  ];
  return [
    users,
    ...tables.map((table) => ({ breakage: locked(table), seconds: LONG })),
    ...[5, 11, 24, 40].map((seconds) => ({ breakage: backendsStopped, seconds })),
    ...[5, 11, 24, 40].map((seconds) => ({ breakage: silent, seconds })),
    { breakage: backendsTerminated, seconds: 60 },
    { breakage: slow, seconds: 15 },
    ...[5, 24].map((seconds) => ({ breakage: blocked, seconds })),
    ...[5, 24].map((seconds) => ({ breakage: blockedThenCut, seconds })),
    { breakage: halfClosed, seconds: 15 },
  ];
}

export const unknownState: ChaosCase = {
  name: 'unknown-state',
  promise:
    'tables locked, PostgreSQL and its processes standing still, the network gone for longer than anybody waits: every 200 has its record and every “done” was done, also after a restart; async: the lost are counted exactly',
  async run(context) {
    const postgres = await openDisk(context);
    const road = await Road.open(postgres.url);
    context.onEnd(() => road.close());
    const environment = { MAX_BATCHES_PER_USER: '10000', BATCH_WORKER: 'separate', ...ownFolder(context) };
    const service = await openService(context, road.url, environment);
    const { token } = await openUser(service, postgres);
    const admin = await createUser(service, postgres, 'admin');
    const deeds = await Deeds.begin(service, admin.token, postgres);
    const [{ month }] = (await postgres.query(
      `SELECT to_char(now() AT TIME ZONE 'UTC', '"_"YYYY"_"MM') AS month`,
    )) as [{ month: string }];
    const list = rounds(context.scale, month);
    if (!postgres.hasOwnDisk) context.figure('out of disk', 'NOT SHOWN, no disk can be mounted here');
    else if (context.scale === 'full') list.push({ breakage: breakages.outOfDisk, seconds: 12 });

    const answered: { name: string; exchanges: Exchange[] }[] = [];
    for (const [index, { breakage, seconds }] of list.entries()) {
      const name = `stuck-${index}`;
      context.progress(`${breakage.name}, ${seconds} s …`);
      const exchanges = await breakFor(service, token, name, breakage, seconds, postgres, road);
      answered.push({ name, exchanges });
      const refused = withStatus(exchanges, 503).length;
      assertRecorded(await compareWithRecord(postgres, name, exchanges));
      await assertDone(postgres, deeds);
      context.progress(
        `${breakage.name}: ${withStatus(exchanges, 200).length} answers, ${refused} refused; ${deeds.done.length} deeds done so far`,
      );
    }
    await deeds.stop();
    assert.equal(await service.stop(), 0, `the service did not end well:\n${service.output()}`);

    context.progress('after a restart of both …');
    await postgres.stop('immediate');
    await postgres.startAgain();
    const again = await openService(context, road.url, environment);
    let count = 0;
    for (const { name, exchanges } of answered) {
      const comparison = await compareWithRecord(postgres, name, exchanges);
      assertRecorded(comparison);
      count += comparison.answered;
    }
    await assertDone(postgres, deeds);
    assert.equal(await again.stop(), 0);
    context.figure('breakages', list.length);
    context.figure('answers, each with its record', count);
    context.figure('deeds that were done', deeds.done.length);
    await answerFirst(context, postgres, road, token);
  },
};

function ownFolder({ onEnd }: ChaosContext): { DATA_DIR: string } {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-chaos-data-'));
  onEnd(() => rmSync(folder, { recursive: true, force: true }));
  return { DATA_DIR: folder };
}

async function openDisk(context: ChaosContext): Promise<PostgresServer> {
  try {
    return await openPostgres(context, SETTINGS, DISK_MB);
  } catch {
    return openPostgres(context, SETTINGS);
  }
}

/** What was asked and answered before, during and after; afterwards it answers again. */
async function breakFor(
  service: { url: string },
  token: string,
  name: string,
  breakage: Breakage,
  seconds: number,
  postgres: PostgresServer,
  road: Road,
): Promise<Exchange[]> {
  const clients = startTraffic({
    url: service.url,
    token,
    name,
    connections: CONNECTIONS,
    rate: RATE,
    restMs: 100,
    patienceMs: 60_000,
  });
  await reached(clients.answered, 50);
  const mend = await breakage.begin(postgres, road);
  await sleep(seconds * 1_000);
  await mend();
  await reached(clients.answered, clients.answered() + 50);
  return (await clients.stop()).list;
}

/** @throws where it takes a minute */
async function reached(count: () => number, least: number): Promise<void> {
  const deadline = now() + 60_000;
  while (count() < least) {
    assert.ok(now() < deadline, `${count()} answers after a minute, not ${least}`);
    await sleep(20);
  }
}

/** AUDIT_MODE=async: answers without a record are as many as are counted, to the last one. */
async function answerFirst(
  context: ChaosContext,
  postgres: PostgresServer,
  road: Road,
  token: string,
): Promise<void> {
  const service = await openService(context, road.url, {
    AUDIT_MODE: 'async',
    AUDIT_QUEUE_ROWS: '300',
    LOG_LEVEL: 'error',
  });
  const name = 'stuck-async';
  const clients = startTraffic({
    url: service.url,
    token,
    name,
    connections: CONNECTIONS,
    rate: RATE,
    restMs: 20,
  });
  const { locked, backendsStopped, blocked, halfClosed } = breakages;
  const list =
    context.scale === 'short'
      ? [{ breakage: backendsStopped, seconds: 7 }]
      : [locked('requests'), locked('responses'), backendsStopped, blocked, halfClosed].map((breakage) => ({
          breakage,
          seconds: 12,
        }));
  for (const { breakage, seconds } of list) {
    context.progress(`answering first, ${breakage.name}, ${seconds} s …`);
    await reached(clients.answered, clients.answered() + 200);
    const mend = await breakage.begin(postgres, road);
    await sleep(seconds * 1_000);
    await mend();
  }
  await reached(clients.answered, clients.answered() + 200);
  const { list: exchanges } = await clients.stop();
  assert.equal(await service.stop(), 0, 'the service did not end well');
  const counted = Number(/(\d+) answers left without a record since/.exec(service.output())?.[1] ?? 0);
  assert.doesNotMatch(service.output(), /is not known/, 'the database was there at the end');
  const { missing, wrong, answered } = await compareWithRecord(postgres, name, exchanges);
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} records are wrong`);
  assert.equal(missing.length, counted, 'answers without a record, and how many were counted');
  context.figure('async: answers', answered);
  context.figure('async: without a record', missing.length);
  context.figure('async: counted as such', counted);
}

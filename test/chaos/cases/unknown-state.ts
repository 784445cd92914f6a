import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser } from '../../support/client.js';
import { answerFirst, breakFor, openPlace, type Round } from '../break-under-load.js';
import * as breakages from '../breakages.js';
import type { ChaosCase, ChaosContext } from '../chaos-case.js';
import { assertDone, Deeds } from '../deeds.js';
import { assertRecorded, compareWithRecord, openService } from '../place.js';
import { startTraffic, withStatus, type Exchange } from '../traffic.js';

const CONNECTIONS = 16;
/** Predictions a second: enough to be in the middle of one whenever something breaks, few enough for a small disk. */
const RATE = 150;
const SETTINGS = { max_wal_size: '64MB', min_wal_size: '32MB' };
const DISK_MB = 600;
/** The time limit for 50 or 200 answers. */
const PATIENCE_MS = 60_000;

/** Twice the longest timeout, so that everything that can time out does so during the breakage. */
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
    'commits',
    'writers',
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

function asyncRounds(scale: ChaosContext['scale']): Round[] {
  const { locked, backendsStopped, blocked, halfClosed } = breakages;
  if (scale === 'short') return [{ breakage: backendsStopped, seconds: 7 }];
  const list = [locked('requests'), locked('responses'), backendsStopped, blocked, halfClosed];
  return list.map((breakage) => ({ breakage, seconds: 12 }));
}

export const unknownState: ChaosCase = {
  name: 'unknown-state',
  promise:
    'tables locked, PostgreSQL and its processes standing still, the network gone for longer than anybody waits: every 200 has its record and every “done” was done, also after a restart; async: the lost are counted exactly',
  async run(context) {
    const place = await openPlace(context, SETTINGS, DISK_MB);
    const { postgres, road } = place;
    const environment = { MAX_BATCHES_PER_USER: '10000', BATCH_WORKER: 'separate', ...ownFolder(context) };
    const service = await openService(context, road.url, environment);
    const { token } = await createUser(service, postgres);
    const admin = await createUser(service, postgres, 'admin');
    const deeds = await Deeds.begin(service, admin.token, postgres);
    const [{ month }] = (await postgres.query(
      `SELECT to_char(now() AT TIME ZONE 'UTC', '"_"YYYY"_"MM') AS month`,
    )) as [{ month: string }];
    const list = rounds(context.scale, month);
    if (postgres.hasOwnDisk && context.scale === 'full')
      list.push({ breakage: breakages.outOfDisk, seconds: 12 });

    const answered: { name: string; exchanges: Exchange[] }[] = [];
    for (const [index, round] of list.entries()) {
      const { breakage, seconds } = round;
      const name = `stuck-${index}`;
      context.progress(`${breakage.name}, ${seconds} s …`);
      const clients = { name, token, connections: CONNECTIONS, rate: RATE };
      const calling = startTraffic({ ...clients, url: service.url, restMs: 100, patienceMs: 60_000 });
      // Requests and answers before, during and after; afterwards it answers again.
      await breakFor(round, place, calling, { answers: 50, withinMs: PATIENCE_MS });
      const { list: exchanges } = await calling.stop();
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
    const clients = { name: 'stuck-async', token, connections: CONNECTIONS, rate: RATE };
    await answerFirst(context, place, asyncRounds(context.scale), clients, { withinMs: PATIENCE_MS });
  },
};

function ownFolder({ onEnd }: ChaosContext): { DATA_DIR: string } {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-chaos-data-'));
  onEnd(() => rmSync(folder, { recursive: true, force: true }));
  return { DATA_DIR: folder };
}

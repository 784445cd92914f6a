import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiProcess } from '../../support/api-process.js';
import * as breakages from '../breakages.js';
import { answerFirst, breakFor, openPlace, type Place, type Round } from '../break-under-load.js';
import { createUser } from '../../support/client.js';
import type { ChaosCase } from '../chaos-case.js';
import {
  assertRecorded,
  compareWithRecord,
  openService,
  residentMb,
  watchMemory,
  type Comparison,
} from '../place.js';
import { latencyAt, startTraffic, withStatus, type Exchanges } from '../traffic.js';

const CONNECTIONS = 64;
const HOLD_SECONDS = { short: 1.5, full: 12 };
/** Longer than a statement may take: statements in flight when it stopped are in doubt. */
const SILENT_SECONDS = 6.5;
const SETTINGS = {
  max_connections: '40',
  // So that a small disk holds the rest.
  max_wal_size: '64MB',
  min_wal_size: '32MB',
};
const DISK_MB = 1000;
/** The time limit for 200 answers. */
const PATIENCE_MS = 30_000;
const BOUNDS = { short: { recoveryMs: 20_000, growthMb: 400 }, full: { recoveryMs: 5_000, growthMb: 200 } };

export const postgresql: ChaosCase = {
  name: 'postgres',
  promise:
    'PostgreSQL stopped, killed, full, slow: no 200 without a record, 503 meanwhile, recovery by itself; async: the lost are counted exactly',
  async run(context) {
    const place = await openPlace(context, SETTINGS, DISK_MB);
    const { postgres } = place;
    const service = await openService(context, place.road.url);
    const { token } = await createUser(service, postgres);
    const memory = watchMemory(context, service);
    const before = residentMb(service);
    const seconds = HOLD_SECONDS[context.scale];

    const { silent, killed, backendKilled, locked, cut } = breakages;
    const { ended, restarted, outOfConnections, slow, outOfDisk, unheard } = breakages;
    const table = locked('responses');
    const list = [silent, ended, restarted, killed, backendKilled, outOfConnections, table, slow, cut];
    if (postgres.hasOwnDisk) list.push(outOfDisk);
    let lastId = '0';
    for (const [index, breakage] of list.entries()) {
      const name = `postgres-${index}`;
      context.progress(`${breakage.name} …`);
      const under = await breakUnderLoad(service, token, name, { breakage, seconds }, place);
      const comparison = await compareWithRecord(postgres, name, under.list, lastId);
      lastId = comparison.lastId;
      assertKept(breakage.name, under, comparison, BOUNDS[context.scale].recoveryMs);
      const refused = withStatus(under.list, 503);
      context.progress(
        `${breakage.name}: ${comparison.answered} answers, each with its record; ${refused.length} refused, ` +
          `p99 ${latencyAt(0.99, refused).toFixed(0)} ms; well again after ${under.recoveryMs.toFixed(0)} ms`,
      );
      context.figure(`${breakage.name}: recovery`, `${(under.recoveryMs / 1000).toFixed(1)} s`);
    }
    const most = memory.mostMb();
    context.figure('memory', `${before} to ${most} MB`);
    assert.ok(most - before <= BOUNDS[context.scale].growthMb, `memory grew from ${before} to ${most} MB`);
    await service.stop();
    const whileAnswering = [table, unheard, backendKilled, cut, killed, silent].map((breakage) => ({
      breakage,
      seconds: breakage === silent ? SILENT_SECONDS : seconds / 2,
    }));
    const clients = { name: 'async', token, connections: CONNECTIONS };
    const bounds = { afterId: lastId, withinMs: PATIENCE_MS };
    const { missing } = await answerFirst(context, place, whileAnswering, clients, bounds);
    assert.ok(missing.length > 0, 'nothing was lost: nothing was shown');
  },
};

interface UnderLoad extends Exchanges {
  /** From the repair until the last refusal, or else the first answer. */
  recoveryMs: number;
}

async function breakUnderLoad(
  service: ApiProcess,
  token: string,
  name: string,
  round: Round,
  place: Place,
): Promise<UnderLoad> {
  const clients = startTraffic({ url: service.url, token, name, connections: CONNECTIONS, restMs: 50 });
  const wellAt = await breakFor(round, place, clients, { answers: 200, withinMs: PATIENCE_MS });
  await sleep(1_500);
  const exchanges = await clients.stop();
  assert.equal(service.process.exitCode, null, `the service ended:\n${service.output()}`);
  const after = exchanges.list.filter(({ endedAt }) => endedAt > wellAt);
  const firstAnswer = Math.min(...withStatus(after, 200).map(({ endedAt }) => endedAt));
  const lastRefusal = Math.max(wellAt, ...withStatus(after, 503).map(({ endedAt }) => endedAt));
  return { ...exchanges, recoveryMs: Math.max(firstAnswer, lastRefusal) - wellAt };
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

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Breakage } from './breakages.js';
import type { ChaosContext } from './chaos-case.js';
import { compareWithRecord, openPostgres, openService, type Comparison } from './place.js';
import type { PostgresServer } from './postgres-server.js';
import { Road } from '../support/road.js';
import { now, startTraffic, type Traffic, type TrafficOptions } from './traffic.js';

/** A PostgreSQL that can be broken in every way, and the network path to it. */
export interface Place {
  postgres: PostgresServer;
  road: Road;
}

export interface Round {
  breakage: Breakage;
  seconds: number;
}

/** With PostgreSQL on a small disk of its own, if one can be mounted. */
export async function openPlace(
  context: ChaosContext,
  settings: Record<string, string>,
  diskMb: number,
): Promise<Place> {
  const postgres = await openPostgres(context, settings, diskMb).catch((error) => {
    context.progress(`a full disk is not shown, because none can be mounted: ${String(error)}`);
    context.figure('out of disk', 'NOT SHOWN, no disk can be mounted here');
    return openPostgres(context, settings);
  });
  const road = await Road.open(postgres.url);
  context.onEnd(() => road.close());
  return { postgres, road };
}

/** Breaks it for `seconds` under these clients, who get `answers` before and after. @returns when it recovered */
export async function breakFor(
  { breakage, seconds }: Round,
  { postgres, road }: Place,
  clients: Traffic,
  { answers, withinMs }: { answers: number; withinMs: number },
): Promise<number> {
  await reached(clients, answers, withinMs);
  const mend = await breakage.begin(postgres, road);
  await sleep(seconds * 1_000);
  await mend();
  const wellAt = now();
  await reached(clients, answers, withinMs);
  return wellAt;
}

/** Waits for `more` answers. @throws if that takes too long */
async function reached({ answered }: Traffic, more: number, withinMs: number): Promise<void> {
  const deadline = now() + withinMs;
  const least = answered() + more;
  while (answered() < least) {
    assert.ok(now() < deadline, `${answered()} answers after ${withinMs / 1000} s, not ${least}`);
    await sleep(20);
  }
}

/** AUDIT_MODE=async: the answers without a record are exactly as many as the log says. */
export async function answerFirst(
  context: ChaosContext,
  place: Place,
  rounds: readonly Round[],
  clients: Pick<TrafficOptions, 'token' | 'connections' | 'rate'> & { name: string },
  { afterId, withinMs }: { afterId?: string; withinMs: number },
): Promise<Comparison> {
  const service = await openService(context, place.road.url, {
    AUDIT_MODE: 'async',
    AUDIT_QUEUE_ROWS: '300',
    LOG_LEVEL: 'error',
  });
  const calling = startTraffic({ ...clients, url: service.url, restMs: 20 });
  for (const round of rounds) {
    context.progress(`answering first, ${round.breakage.name}, ${round.seconds} s …`);
    await breakFor(round, place, calling, { answers: 200, withinMs });
  }
  const { list } = await calling.stop();
  assert.equal(await service.stop(), 0, `the service did not end well:\n${service.output().slice(-3000)}`);
  const counted = Number(/(\d+) answers left without a record since/.exec(service.output())?.[1] ?? 0);
  assert.doesNotMatch(service.output(), /is not known/, 'the database was there at the end');
  const comparison = await compareWithRecord(place.postgres, clients.name, list, afterId);
  const { missing, wrong, answered } = comparison;
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} records are wrong`);
  assert.equal(missing.length, counted, 'answers without a record, and how many were counted');
  context.figure('async: answers', answered);
  context.figure('async: without a record', missing.length);
  context.figure('async: counted as such', counted);
  return comparison;
}

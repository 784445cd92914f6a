import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createUser } from '../../support/client.js';
import type { ChaosCase } from '../chaos-case.js';
import { openPostgres, openService } from '../place.js';
import {
  latencyAt,
  startTraffic,
  traffic,
  withStatus,
  type Exchange,
  type TrafficOptions,
} from '../traffic.js';

const ROUNDS = { short: 2, full: 6 };
const SECONDS = { short: 4, full: 10 };
/** A service in use, but below its limit: a flood may take the rest. */
const PREDICTIONS_PER_SECOND = { short: 100, full: 500 };
/** Attempts a second, `FLOOD` in total: one account from one address, any account from anywhere, registrations. */
const FLOOD = { short: 400, full: 2_500 };
/** The short run, on a busy machine, only checks that predictions go on: half of them in time. */
const BOUNDS = { short: { of: 0.5, times: 50, orMs: 5_000 }, full: { of: 0.99, times: 2, orMs: 0 } };
/** The time a flood needs to connect. */
const RISING_MS = 1_500;

export const loginFlood: ChaosCase = {
  name: 'login-flood',
  promise: 'thousands of wrong passwords a second: p99 of /predict at most doubles',
  async run(context) {
    const { scale, figure, progress } = context;
    const postgres = await openPostgres(context);
    // Each attempt names its address, as behind a proxy. Passwords cost as much as in production.
    const service = await openService(context, postgres.url, {
      TRUST_PROXY: '1',
      BCRYPT_COST: '12',
    });
    const user = await createUser(service, postgres);
    const { url } = service;
    const seconds = SECONDS[scale];
    const predict = () =>
      traffic({ url, token: user.token, connections: 64, rate: PREDICTIONS_PER_SECOND[scale] }, seconds);
    const addresses = '2001:db8:{high}:{low}::1';
    const floods: TrafficOptions[] = (
      [
        ['/token', { username: user.username, password: 'wrong' }, '192.0.2.1'],
        ['/token', { username: user.username, password: 'wrong {n}' }, addresses],
        ['/token', { username: 'nobody-{n}', password: 'wrong' }, addresses],
        [
          '/register-user',
          { username: 'flood-{n}', password: 'flood', email: 'flood@example.org' },
          addresses,
        ],
      ] as const
    ).map(([path, body, from]) => ({
      url,
      path,
      body: JSON.stringify(body),
      from,
      connections: 200,
      patienceMs: 500,
      rate: FLOOD[scale] / 4,
    }));

    await traffic({ url, token: user.token, connections: 64 }, 2);
    const calm: Exchange[] = [];
    const flooded: Exchange[] = [];
    const attempts: Exchange[] = [];
    let [next, withoutRetryAfter] = [0, 0];
    for (let round = 1; round <= ROUNDS[scale]; round++) {
      calm.push(...answered(await predict()));
      const flooding = floods.map((flood) => startTraffic({ ...flood, firstNumber: next }));
      // Wait for its connections.
      await sleep(RISING_MS);
      flooded.push(...answered(await predict()));
      const results = await Promise.all(flooding.map((flood) => flood.stop()));
      attempts.push(...results.flatMap(({ list }) => list));
      withoutRetryAfter += results.reduce((sum, result) => sum + result.withoutRetryAfter, 0);
      next += FLOOD[scale] * seconds * 2;
      const p99 = (list: Exchange[]) => latencyAt(0.99, list).toFixed(1);
      progress(
        `${round}/${ROUNDS[scale]}: p99 ${p99(calm)} ms without, ${p99(flooded)} ms with ${attempts.length} attempts`,
      );
    }
    const [before, after] = [latencyAt(0.99, calm), latencyAt(0.99, flooded)];
    const tally = (...statuses: number[]) => withStatus(attempts, ...statuses).length;
    figure('predictions', `${PREDICTIONS_PER_SECOND[scale]}/s`);
    figure('attempts', `${Math.round(attempts.length / (seconds + RISING_MS / 1000) / ROUNDS[scale])}/s`);
    figure('p50', `${latencyAt(0.5, calm).toFixed(1)} ms, flooded ${latencyAt(0.5, flooded).toFixed(1)} ms`);
    figure('p99', `${before.toFixed(1)} ms, flooded ${after.toFixed(1)} ms`);
    figure('times', (after / before).toFixed(1));
    figure('attempts told 401', tally(401));
    figure('201', tally(201));
    figure('429', tally(429));
    figure('503', tally(503));
    // 0: those still waiting in the queue when the flood ends.
    assert.equal(tally(0, 401, 201, 429, 503), attempts.length, 'an attempt was answered something else');
    assert.ok(tally(429) > 0 && tally(503) > 0, 'nothing was slowed: nothing was shown');
    assert.equal(withoutRetryAfter, 0, '429 or 503 without Retry-After');
    const { of, times, orMs } = BOUNDS[scale];
    const limit = Math.max(latencyAt(of, calm) * times, orMs);
    assert.ok(latencyAt(of, flooded) <= limit, `predictions take ${latencyAt(of, flooded).toFixed(1)} ms`);
  },
};

function answered({ list }: { list: Exchange[] }): Exchange[] {
  assert.equal(withStatus(list, 200).length, list.length, 'a prediction was not answered');
  return list;
}

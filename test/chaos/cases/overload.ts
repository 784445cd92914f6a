import assert from 'node:assert/strict';
import { createUser } from '../../support/client.js';
import type { ChaosCase } from '../chaos-case.js';
import { eventLoopMicroseconds, openPostgres, openService, residentMb, watchMemory } from '../place.js';
import { probe } from '../prober.js';
import { latencyAt, traffic, withStatus } from '../traffic.js';

const SECONDS = { short: 10, full: 60 };
const PEAK_SECONDS = { short: 4, full: 15 };
const CONNECTIONS = 2_000;
/** The short run, on a busy machine, only checks that nothing collapses. */
const BOUNDS = {
  short: { goodput: 0.05, refusedP99Ms: 10_000, probeMs: 10_000, growthMb: 300, unready: 50 },
  full: { goodput: 0.8, refusedP99Ms: 1_000, probeMs: 100, growthMb: 150, unready: 0 },
};

export const overload: ChaosCase = {
  name: 'overload',
  promise: 'four times the sustainable rate: goodput, quick refusals, flat memory, health answers',
  async run(context) {
    const { scale, figure, progress } = context;
    const postgres = await openPostgres(context);
    const service = await openService(context, postgres.url);
    const { token } = await createUser(service, postgres);
    const { url } = service;
    await traffic({ url, token, connections: 64 }, 2);
    const idle = eventLoopMicroseconds(service);
    const closed = await traffic({ url, token, connections: 256 }, PEAK_SECONDS[scale]);
    assert.deepEqual(
      withStatus(closed.list, 200).length,
      closed.list.length,
      '256 connections were refused some',
    );
    const eachMicroseconds = (eventLoopMicroseconds(service) - idle) / closed.list.length;
    const peak = perSecond(closed.list.length, PEAK_SECONDS[scale]);
    progress(`sustainable: ${Math.round(peak)}/s`);

    const before = residentMb(service);
    const memory = watchMemory(context, service);
    const probes = ['/livez', '/readyz'].map((path) => probe(url + path));
    const rate = peak * 4;
    const spent = eventLoopMicroseconds(service);
    const { list, unsent, withoutRetryAfter } = await traffic(
      { url, token, rate, connections: CONNECTIONS },
      SECONDS[scale],
    );
    const most = memory.mostMb();
    const [livez, readyz] = await Promise.all(probes.map((stop) => stop()));
    const served = withStatus(list, 200);
    const refused = withStatus(list, 503);
    const refusalMicroseconds =
      (eventLoopMicroseconds(service) - spent - served.length * eachMicroseconds) / refused.length;
    const goodput = perSecond(served.length, SECONDS[scale]) / peak;
    figure('sustainable', `${Math.round(peak)}/s`);
    figure('asked', `${Math.round(perSecond(list.length + unsent, SECONDS[scale]))}/s`);
    figure('goodput', `${(goodput * 100).toFixed(0)} %`);
    figure('refused', refused.length);
    figure('never sent for want of a connection', unsent);
    figure('p99 of a refusal, from when it was sent', `${latencyAt(0.99, refused, 'sentAt').toFixed(0)} ms`);
    figure('from when it was due', `${latencyAt(0.99, refused).toFixed(0)} ms`);
    figure('p50 of an answer', `${latencyAt(0.5, served).toFixed(0)} ms`);
    figure('p99', `${latencyAt(0.99, served).toFixed(0)} ms`);
    figure('memory', `${before} to ${most} MB`);
    figure('/livez', `${livez!.slowest.toFixed(0)} ms at most`);
    figure(
      '/readyz',
      `${readyz!.slowest.toFixed(0)} ms at most, ${readyz!.refused} of ${readyz!.count} not 200`,
    );
    figure(
      'event loop',
      `${eachMicroseconds.toFixed(0)} µs an answer, ${refusalMicroseconds.toFixed(0)} µs a refusal`,
    );
    assert.equal(
      withStatus(list, 200, 503).length,
      list.length,
      'something else than 200 and 503 was answered',
    );
    assert.equal(withoutRetryAfter, 0, '503 without Retry-After');
    const bounds = BOUNDS[scale];
    assert.equal(livez!.refused, 0, '/livez was not 200');
    assert.ok(readyz!.refused <= bounds.unready, '/readyz was not 200');
    assert.ok(goodput >= bounds.goodput, `goodput is ${goodput.toFixed(2)} of the peak`);
    assert.ok(latencyAt(0.99, refused) <= bounds.refusedP99Ms, 'refusals take too long');
    assert.ok(most - before <= bounds.growthMb, 'memory grows');
    assert.ok(
      livez!.slowest <= bounds.probeMs && readyz!.slowest <= bounds.probeMs,
      'health routes are slow',
    );
  },
};

const perSecond = (count: number, seconds: number) => count / seconds;

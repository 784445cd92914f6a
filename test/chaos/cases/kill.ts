import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, createUser } from '../../support/client.js';
import type { ChaosCase } from '../chaos-case.js';
import { assertRecorded, compareWithRecord, openPostgres, openService } from '../place.js';
import { now, patient, startTraffic, withStatus, type Exchange } from '../traffic.js';

const CONNECTIONS = 64;
const ROUNDS = { short: 5, full: 50 };
/** A round is killed at a random moment within this many milliseconds of its first answer. */
const WITHIN_MS = 800;
/** How many answered requests are repeated under the same key. */
const ASKED_AGAIN = 10;

export const kill: ChaosCase = {
  name: 'kill',
  promise:
    'the API killed at random moments: every 200 has its request row and response row, equal and once; asking again under the same key gets the first answer and one record',
  async run(context) {
    const postgres = await openPostgres(context);
    let service = await openService(context, postgres.url);
    const { token } = await createUser(service, postgres);
    const rounds = ROUNDS[context.scale];
    let lastId = '0';
    const sum = { answered: 0, broken: 0, brokenButRecorded: 0, askedAgain: 0, replayed: 0 };
    for (let round = 1; round <= rounds; round++) {
      const name = `kill-${round}`;
      // Every other round without keys: that is a different statement, and the usual one.
      const keyed = round % 2 === 0;
      const clients = startTraffic({ url: service.url, token, connections: CONNECTIONS, name, keyed });
      while (clients.answered() === 0) await sleep(5);
      await sleep(Math.random() * WITHIN_MS);
      const killed = service.kill();
      const stopped = clients.stop();
      await killed;
      let { list } = await stopped;
      assert.equal(withStatus(list, 0, 200).length, list.length, 'something else than 200 was answered');
      // Its last statements may still be on their way to the database.
      await postgres.connectionsEnded();
      service = await openService(context, postgres.url);
      sum.broken += withStatus(list, 0).length;
      if (keyed) list = await askAgain(list, name);
      const comparison = await compareWithRecord(postgres, name, list, lastId);
      assertRecorded(comparison);
      lastId = comparison.lastId;
      sum.answered += comparison.answered;
      sum.brokenButRecorded += comparison.unheard;
      context.progress(`${round}/${rounds} kills, ${sum.answered} answers, each with its record`);
    }
    assert.ok(sum.broken > 0, 'no kill met a request on its way: nothing was shown');
    context.figure('kills', rounds);
    context.figure('answers', sum.answered);
    context.figure('without a record', 0);
    context.figure('broken off', sum.broken);
    context.figure('of these recorded, and not asked again', sum.brokenButRecorded);
    context.figure('asked again under their key', sum.askedAgain);
    context.figure('of these answered from the record', sum.replayed);

    /** @returns the list with the repeated answers in place of the first ones */
    async function askAgain(list: readonly Exchange[], name: string): Promise<Exchange[]> {
      const answered = withStatus(list, 200).slice(-ASKED_AGAIN);
      const asking = [...withStatus(list, 0), ...answered];
      const again = await Promise.all(
        asking.map(async (before): Promise<Exchange> => {
          const id = `${name}-${before.number}`;
          const headers = { 'x-request-id': id, 'idempotency-key': id };
          const answer = await call(service, 'POST', '/predict', {
            body: patient(before.number),
            token,
            headers,
          });
          const isReplayed = answer.headers.get('idempotency-replayed') === 'true';
          if (isReplayed) sum.replayed++;
          assert.equal(answer.status, 200, answer.text);
          if (before.status === 200) {
            assert.ok(isReplayed, `${id} was answered before the kill, and anew after it`);
            assert.equal(answer.text, before.body, `${id} was answered something else before the kill`);
          }
          return { ...before, endedAt: now(), status: 200, body: answer.text };
        }),
      );
      sum.askedAgain += again.length;
      const byNumber = new Map([...list, ...again].map((exchange) => [exchange.number, exchange]));
      return [...byNumber.values()];
    }
  },
};

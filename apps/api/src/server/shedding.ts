import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { Problem, type ProblemForm } from '#libs/errors';
import type { Counter } from '#libs/observability';
import type { HashingPurpose, Passwords } from '#libs/users';
import { SECURITY_HEADERS } from './security-headers.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Its body has arrived, and it is not answered yet. */
    isInProgress: boolean;
  }
}

/**
 * What is more than we can do is refused at the door: before its headers are read, its token is verified or its body is
 * parsed, because all of these are most of what a prediction costs (docs/adr/0015).
 *
 * A login or a registration is also refused here while the queue for its password is full, so that a flood costs little.
 *
 * A request is refused when `MAX_IN_PROGRESS` are worked on already and the event loop works all the time. Requests that
 * wait for something else, a slow model's thread or the database, are no reason to refuse others; the queues of these
 * have limits of their own.
 */
const MAX_IN_PROGRESS = 384;
/** The share of its time that the event loop works, from which on it counts as working all the time. */
const SATURATED = 0.9;
const LOOK_EVERY_MS = 50;
/**
 * A refusal costs a third of an answer, and who is refused at once asks again at once. While he waits for it his
 * connection brings nothing else, so that answers keep most of the time.
 */
const REFUSED_AFTER_MS = 500;
const REFUSE_EVERY_MS = 20;

/** Asked by those who decide what becomes of this process: never refused. */
const ALWAYS_ANSWERED = /^\/(livez|readyz|health|metrics|ping|v2\/health\/(live|ready))(\?|$)/;

/** The routes that hash a password, and why. */
const HASHES: ReadonlyMap<string, HashingPurpose> = new Map([
  ['/token', 'login'],
  ['/register-user', 'registration'],
]);

/** To be called when Fastify is made and before it has routes; counts what it refuses. */
export function shedLoad(fastify: FastifyInstance, passwords: Passwords, shed: Counter): void {
  let inProgress = 0;
  let isSaturated = false;

  // From when its body is there: one that arrives a byte at a time is no work, and must not keep others out.
  fastify.decorateRequest('isInProgress', false);
  fastify.addHook('preValidation', (request, _reply, done) => {
    request.isInProgress = true;
    inProgress++;
    done();
  });
  fastify.addHook('onResponse', (request, _reply, done) => {
    if (request.isInProgress) inProgress--;
    done();
  });

  /** To be refused, the earliest first. */
  let waiting: { response: ServerResponse; url: string; dueAt: number }[] = [];
  setInterval(() => {
    if (waiting.length === 0) return;
    const now = performance.now();
    const notYet = waiting.findIndex(({ dueAt }) => dueAt > now);
    const due = notYet === -1 ? waiting : waiting.slice(0, notYet);
    waiting = notYet === -1 ? [] : waiting.slice(notYet);
    for (const { response, url } of due) refuse(response, fastify.problemFormAt(url));
  }, REFUSE_EVERY_MS).unref();

  let before = performance.eventLoopUtilization();
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    isSaturated = performance.eventLoopUtilization(now, before).utilization >= SATURATED;
    before = now;
  }, LOOK_EVERY_MS).unref();

  // Fastify has no hook before it makes a request and a reply of its own, which costs more than this answer.
  const { server } = fastify;
  const [serve] = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url!;
    const hashing = HASHES.get(url);
    if (hashing && passwords.isBusy(hashing)) {
      shed.add();
      refuse(response, fastify.problemFormAt(url));
    } else if (inProgress >= MAX_IN_PROGRESS && isSaturated && !ALWAYS_ANSWERED.test(url)) {
      shed.add();
      waiting.push({ response, url, dueAt: performance.now() + REFUSED_AFTER_MS });
    } else {
      serve!(request, response);
    }
  });
}

function refuse(response: ServerResponse, form: ProblemForm): void {
  if (response.destroyed) return;
  const { headers, body } = refusalIn(form);
  response.sendDate = false;
  // One write: head and body are of one encoding.
  response.writeHead(503, headers).end(body, 'latin1');
}

interface Refusal {
  headers: string[];
  body: string;
}

const PROBLEM = Problem.overloaded('More is asked at the moment than can be answered. Please try again.');

/** Made once for each form; without a request's id, for which its headers would have to be read. */
const refusals = new Map<ProblemForm, Refusal>();

function refusalIn(form: ProblemForm): Refusal {
  const made = refusals.get(form);
  if (made) return made;
  const body = form.write(PROBLEM);
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': form.contentType,
    'content-length': String(body.length),
    ...PROBLEM.headers,
  };
  const refusal = { headers: Object.entries(headers).flat(), body };
  refusals.set(form, refusal);
  return refusal;
}

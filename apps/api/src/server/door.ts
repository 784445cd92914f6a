import type { OutgoingHttpHeaders, RequestListener, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';
import { Problem, type ProblemForm } from '#libs/errors';
import type { Counter } from '#libs/observability';

declare module 'fastify' {
  interface FastifyRequest {
    /** Its body has arrived, and it is not answered yet. */
    isInProgress: boolean;
  }

  interface FastifyContextConfig {
    /** Used by those who decide what happens to this process: never refused at the door. */
    isAlwaysAnswered?: boolean;
    /** The queue for the route's work: while it is full, the route is refused at the door. */
    queue?: string;
  }
}

interface DoorParts {
  problemFormAt(url: string): ProblemForm;
  /** Whether the queue that a route names is full. */
  isFull(queue: string): boolean;
}

/**
 * Requests beyond our capacity are refused at the door: before their headers are read, their token is verified or their
 * body is parsed, because all of these are most of the cost of a prediction (docs/adr/0015).
 *
 * A login or registration is also refused here while the queue for its password is full, so that a flood costs little.
 *
 * A request is refused if `MAX_IN_PROGRESS` are already in progress and the event loop is always busy. Requests that
 * wait for something else, a slow model's thread or the database, are no reason to refuse others; the queues for these
 * have limits of their own.
 */
const MAX_IN_PROGRESS = 384;
/** The share of its time from which on the event loop counts as always busy. */
const SATURATED = 0.9;
const LOOK_EVERY_MS = 50;
/**
 * A refusal costs a third of an answer, and a client that is refused at once asks again at once. While it waits for the
 * refusal, its connection brings nothing else, so that answers keep most of the time.
 */
const REFUSED_AFTER_MS = 500;
const REFUSE_EVERY_MS = 20;

export class Door {
  private readonly alwaysAnswered = new Set<string>();
  /** The queue that a path's work waits in. */
  private readonly queues = new Map<string, string>();
  private inProgress = 0;
  private isSaturated = false;
  /** Refusals to send, the earliest first. */
  private waiting: { response: ServerResponse; url: string; dueAt: number }[] = [];
  private parts!: DoorParts;

  constructor(private readonly shed: Counter) {}

  /** Fastify has no hook before it makes its own request and reply, which cost more than this answer. */
  admit(serve: RequestListener): RequestListener {
    return (request, response) => {
      const url = request.url!;
      const queue = this.queues.get(url);
      if (queue !== undefined && this.parts.isFull(queue)) {
        this.shed.add();
        refuse(response, this.parts.problemFormAt(url));
      } else if (this.inProgress >= MAX_IN_PROGRESS && this.isSaturated && !this.isAlwaysAnswered(url)) {
        this.shed.add();
        this.waiting.push({ response, url, dueAt: performance.now() + REFUSED_AFTER_MS });
      } else {
        serve(request, response);
      }
    };
  }

  /** Reads what routes declare, and counts the requests in progress. */
  readonly plugin = plugin(
    async (fastify: FastifyInstance, parts: DoorParts) => {
      this.parts = parts;
      fastify.addHook('onRoute', ({ url, config }) => {
        if (config?.isAlwaysAnswered) this.alwaysAnswered.add(url);
        if (config?.queue) this.queues.set(url, config.queue);
      });

      // Counted once its body has arrived: one that arrives a byte at a time is no work, and must not keep others out.
      fastify.decorateRequest('isInProgress', false);
      fastify.addHook('preValidation', (request, _reply, done) => {
        request.isInProgress = true;
        this.inProgress++;
        done();
      });
      fastify.addHook('onResponse', (request, _reply, done) => {
        if (request.isInProgress) this.inProgress--;
        done();
      });

      let before = performance.eventLoopUtilization();
      setInterval(() => {
        const now = performance.eventLoopUtilization();
        this.isSaturated = performance.eventLoopUtilization(now, before).utilization >= SATURATED;
        before = now;
      }, LOOK_EVERY_MS).unref();
      setInterval(() => this.refuseDue(), REFUSE_EVERY_MS).unref();
    },
    { name: 'door' },
  );

  private isAlwaysAnswered(url: string): boolean {
    return this.alwaysAnswered.has(url.split('?', 1)[0]!);
  }

  private refuseDue(): void {
    if (this.waiting.length === 0) return;
    const now = performance.now();
    const notYet = this.waiting.findIndex(({ dueAt }) => dueAt > now);
    const due = notYet === -1 ? this.waiting : this.waiting.slice(0, notYet);
    this.waiting = notYet === -1 ? [] : this.waiting.slice(notYet);
    for (const { response, url } of due) refuse(response, this.parts.problemFormAt(url));
  }
}

function refuse(response: ServerResponse, form: ProblemForm): void {
  if (response.destroyed) return;
  const { headers, body } = refusalIn(form);
  response.sendDate = false;
  response.writeHead(503, headers).end(body);
}

interface Refusal {
  headers: OutgoingHttpHeaders;
  body: string;
}

const PROBLEM = Problem.overloaded('More is asked at the moment than can be answered. Please try again.');

/** Made once for each form; without a request id, because its headers would have to be read for that. */
const refusals = new Map<ProblemForm, Refusal>();

function refusalIn(form: ProblemForm): Refusal {
  const made = refusals.get(form);
  if (made) return made;
  const body = form.write(PROBLEM);
  const headers = {
    'content-type': form.contentType,
    'content-length': String(body.length),
    ...PROBLEM.headers,
  };
  const refusal = { headers, body };
  refusals.set(form, refusal);
  return refusal;
}

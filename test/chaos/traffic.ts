/**
 * Clients in a thread of their own, so that work in this thread does not affect what they measure. Each request can be
 * told from every other, by its `X-Request-Id` and by its features.
 */
import { Worker } from 'node:worker_threads';
import { PATIENT } from '../support/client.js';

export interface TrafficOptions {
  url: string;
  path?: string;
  token?: string;
  connections: number;
  /**
   * Requests a second, whether or not earlier ones are answered; if no connection is free, one waits, and its
   * latency counts from when it was due. Without this, each connection sends its next request after each answer.
   */
  rate?: number;
  /** Before the first number: its requests are `<name>-0`, `<name>-1` … With it, bodies of answers are kept. */
  name?: string;
  /** The next number, if other traffic of this name came before. */
  firstNumber?: number;
  /** Every request has an `Idempotency-Key`: its `X-Request-Id`. */
  keyed?: boolean;
  /** What is sent instead of a patient: a text, in which `{n}` is the number. */
  body?: string;
  /** Sent with `X-Forwarded-For`, in which `{high}` and `{low}` are the number's thousands and the rest. */
  from?: string;
  /** How long a connection rests after an answer that is not 200. */
  restMs?: number;
  /** A connection rests after each answer, for a random time up to this long. */
  pauseMs?: number;
  /** How long to wait for an answer after the end. */
  patienceMs?: number;
}

/** The result of one request. */
export interface Exchange {
  number: number;
  /** Milliseconds since 1970, with fractions: when it was due, sent, and answered or cut off. */
  meantAt: number;
  sentAt: number;
  endedAt: number;
  /** 0 if the connection broke before a complete answer. */
  status: number;
  /** The answer, if answers are kept. */
  body: string;
}

export interface Exchanges {
  list: Exchange[];
  /** Due, but not sent before the end. */
  unsent: number;
  /** 503 (or 429) without `Retry-After`. */
  withoutRetryAfter: number;
}

export interface Traffic {
  /** How many were answered with 200 so far, a moment ago. */
  answered(): number;
  stop(): Promise<Exchanges>;
}

/** Features that belong to this number alone. */
export function patient(number: number): Record<string, number> {
  return { ...PATIENT, age: 20 + (number % 80), creatinine_phosphokinase: number };
}

export const now = () => performance.timeOrigin + performance.now();

export function startTraffic(options: TrafficOptions): Traffic {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./traffic-worker.js', import.meta.url), {
    workerData: { ...options, answered },
  });
  const result = new Promise<Exchanges>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  // Awaited only at the end; until then no one listens.
  result.catch(() => undefined);
  return {
    answered: () => Atomics.load(answered, 0),
    stop: () => {
      worker.postMessage('stop');
      return result;
    },
  };
}

/** Runs it for this long. */
export async function traffic(options: TrafficOptions, seconds: number): Promise<Exchanges> {
  const running = startTraffic(options);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return running.stop();
}

/** A percentile of the latencies from when they were due, or were sent, in milliseconds; NaN if there are none. */
export function latencyAt(
  share: number,
  list: readonly Exchange[],
  since: 'meantAt' | 'sentAt' = 'meantAt',
): number {
  const sorted = Float64Array.from(list, (exchange) => exchange.endedAt - exchange[since]).toSorted();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export const withStatus = (list: readonly Exchange[], ...statuses: number[]) =>
  list.filter(({ status }) => statuses.includes(status));

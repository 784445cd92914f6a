import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a caller's `X-Request-Id` may be; anything else is replaced by ours. */
const GIVEN = /^[A-Za-z0-9._:+/=-]{1,128}$/;

export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && GIVEN.test(given) ? given : newRequestId();
}

/** The time as it begins an id: under load many requests arrive in the same millisecond. */
let latest = { now: NaN, prefix: '' };

/** A UUID that begins with the time (RFC 9562 §5.7): requests of the same time are neighbours in the record's index. */
export function newRequestId(): string {
  const now = Date.now();
  if (now !== latest.now) {
    const time = now.toString(16).padStart(12, '0');
    latest = { now, prefix: `${time.slice(0, 8)}-${time.slice(8)}-7` };
  }
  return latest.prefix + randomUUID().slice(15);
}

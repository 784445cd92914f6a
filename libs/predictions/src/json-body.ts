import { isUtf8 } from 'node:buffer';
import { Problem } from '#libs/errors';

/** Deeper than any features are; PostgreSQL and our own serialiser both end at some depth. */
const MAX_DEPTH = 32;

/** @throws Problem `bad-request` for what is not UTF-8, not JSON, or nested deeper than `MAX_DEPTH`. */
export function parseJsonBody(body: Buffer): unknown {
  return parseWith(JSON.parse, body);
}

/**
 * The same of a client in Python, whose `json` writes a missing number as NaN, which is no JSON: it is read as null.
 * @throws Problem `bad-request`
 */
export function parsePythonJsonBody(body: Buffer): unknown {
  return parseWith(parsePythonJson, body);
}

function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!text.includes('NaN')) throw error;
    return JSON.parse(text.replace(STRING_OR_NAN, (token) => (token === 'NaN' ? 'null' : token)));
  }
}

/** A string that never closes reaches to the end, so that no quote is looked at twice. */
const STRING_OR_NAN = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|\bNaN\b/g;

function parseWith(parse: (text: string) => unknown, body: Buffer): unknown {
  if (!isUtf8(body)) throw Problem.badRequest('The body is not UTF-8.');
  let value: unknown;
  try {
    value = parse(body.toString('utf8'));
  } catch {
    throw Problem.badRequest('The body is not JSON.');
  }
  refuseDeep(value);
  return value;
}

/** @throws Problem `bad-request` for what is nested deeper than `MAX_DEPTH`. */
export function refuseDeep(value: unknown): void {
  if (isDeeperThan(MAX_DEPTH, value))
    throw Problem.badRequest(`The body is nested deeper than ${MAX_DEPTH} levels.`);
}

/**
 * For the record. A number beyond 1.8e308 was read as infinite, which JSON cannot say, and which must not stand there
 * as the null of a missing value: it is written as "Infinity" or "-Infinity", which no model takes for a number either.
 */
export function writeJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!text.includes('null') || !holdsInfinity(value)) return text;
  return JSON.stringify(value, (_, each: unknown) => (isInfinity(each) ? String(each) : each));
}

function isInfinity(value: unknown): boolean {
  return value === Infinity || value === -Infinity;
}

function holdsInfinity(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return isInfinity(value);
  return Object.values(value).some(holdsInfinity);
}

function isDeeperThan(depth: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const key in value) {
    if (isDeeperThan(depth - 1, (value as Record<string, unknown>)[key])) return true;
  }
  return false;
}

import { isUtf8 } from 'node:buffer';
import { Problem } from '#libs/errors';
import { weighJson } from './json-weight.js';

/** How much a body may contain for what it asks. */
export interface RowLimit {
  /** How many members an object may have; also how many values each row may have, and how many may be outside rows. */
  readonly values: number;
  /** How many elements a list may have, which may be the rows; `values` unless given. */
  readonly elements?: number;
  /** How many rows a body has; without this, the body is one row. */
  rowsIn?(body: unknown): number;
}

/** @throws Problem `bad-request` for what is not UTF-8, not JSON, nested too deep, or more than its rows can use. */
export function parseJsonBody(body: Buffer, limit?: RowLimit): unknown {
  return parseWith(JSON.parse, body, limit);
}

/**
 * The same for a client in Python, whose `json` writes words that JSON does not have: a missing number as NaN, which is
 * read as null, and an infinite one as Infinity, which is read as the number and left for its column to refuse.
 * @throws Problem `bad-request`
 */
export function parsePythonJsonBody(body: Buffer, limit?: RowLimit): unknown {
  return parseWith(parsePythonJson, body, limit);
}

function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(text.replace(STRING_OR_WORD, (token) => WORDS[token] ?? token));
  }
}

/** As JSON writes them: a number beyond all floats is infinite, also with a minus before it. */
const WORDS: Record<string, string> = { NaN: 'null', Infinity: '1e999' };

/** A string that never closes extends to the end, so that no quote is scanned twice. */
const STRING_OR_WORD = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|\b(?:NaN|Infinity)\b/g;

function parseWith(
  parse: (text: string) => unknown,
  body: Buffer,
  { values: most, elements = most, rowsIn }: RowLimit = { values: Infinity },
): unknown {
  if (!isUtf8(body)) throw Problem.badRequest('The body is not UTF-8.');
  const values = weighJson(body, { members: most, elements, values: rowsIn ? Infinity : most });
  const text = body.toString('utf8');
  let value: unknown;
  try {
    // A parser may ignore a byte order mark (RFC 8259 §8.1), which Excel and PowerShell write.
    value = parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch {
    throw Problem.badRequest('The body is not JSON.');
  }
  if (rowsIn && values > most && values > most * (1 + rowsIn(value))) {
    throw Problem.badRequest(`The body has more than ${most} values a row.`);
  }
  return value;
}

/**
 * For the record. A number beyond 1.8e308 was read as infinite, which JSON cannot express, and which must not become
 * the null of a missing value: it is written as "Infinity" or "-Infinity", which no model takes for a number either.
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

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { BinaryArrays } from '#libs/database';
import type { Idempotency } from './kept-answers.js';
import type { RecordTrace } from './record-trace.js';

/** One prediction as it is recorded. */
export interface PredictionRecord {
  userId: number;
  requestUuid: string;
  model: string;
  modelVersion: string;
  dialect: string;
  /** The input as JSON text; `'null'` if the body was not JSON. */
  input: string;
  /** Null if the body could not be read. */
  rowCount: number | null;
  ignoredColumns: readonly string[];
  statusCode: number;
  /** The body of the answer as JSON text, exactly as it is sent. */
  output: string;
  durationMs: number;
  idempotency?: Idempotency;
  /** Not written; set if the request is traced. */
  trace?: RecordTrace;
}

/** The records as one parameter per column, in the order of the statement's columns. */
export function toColumns(records: readonly PredictionRecord[], arrays: BinaryArrays): Buffer[] {
  return [
    arrays.int4(records.map(({ userId }) => userId)),
    arrays.text(records.map(({ requestUuid }) => requestUuid)),
    arrays.text(records.map(({ model }) => model)),
    arrays.text(records.map(({ modelVersion }) => modelVersion)),
    arrays.text(records.map(({ dialect }) => dialect)),
    arrays.jsonb(records.map(({ input }) => storable(input))),
    arrays.int4(records.map(({ rowCount }) => rowCount)),
    arrays.text(records.map(({ ignoredColumns }) => toArrayLiteral(ignoredColumns))),
    arrays.int2(records.map(({ statusCode }) => statusCode)),
    arrays.jsonb(records.map(({ output }) => storable(output))),
    arrays.float4(records.map(({ durationMs }) => durationMs)),
  ];
}

/** The parameters after those: what is kept under a key, for the records that have one. */
export function toKeptColumns(records: readonly PredictionRecord[], arrays: BinaryArrays): Buffer[] {
  return [
    arrays.text(records.map(({ idempotency }) => idempotency?.key ?? null)),
    arrays.text(records.map(({ idempotency }) => idempotency?.fingerprint ?? null)),
    arrays.text(records.map(({ idempotency, output }) => (idempotency ? output : null))),
  ];
}

/** As PostgreSQL reads an array of texts, each the name of a column: `{"a","b \"c\""}`. */
function toArrayLiteral(names: readonly string[]): string {
  if (names.length === 0) return '{}';
  const quoted = names.map((name) => `"${storableKey(name).replace(/["\\]/g, String.raw`\$&`)}"`);
  return `{${quoted.join(',')}}`;
}

/**
 * PostgreSQL's jsonb has no NUL and no lone surrogate; JSON has. In a text both become U+FFFD, the replacement
 * character; in a key their number follows it, so that no two keys become one. The test is broad (it also matches an
 * escaped backslash before `u0000`); what it matches is parsed and decided exactly.
 */
function storable(json: string): string {
  return /\\u(?:0000|fffd|d[89a-f])|\uFFFDu/i.test(json) ? JSON.stringify(cleaned(JSON.parse(json))) : json;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '\uFFFD');
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableKey(key), cleaned(inner)]));
}

/**
 * `"x\u0000"` → `x\uFFFDu0000`, and `"x\ud800"` → `x\uFFFDud800`. A U+FFFD that looks like the start of such a number
 * is followed by its own number, so that every key can be recovered.
 */
function storableKey(key: string): string {
  return key.replace(NOT_STORABLE, (each) => `\uFFFDu${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const NOT_STORABLE = /[\0\p{Surrogate}]|\uFFFD(?=u(?:0000|fffd|d[89a-f][\da-f]{2}))/gu;

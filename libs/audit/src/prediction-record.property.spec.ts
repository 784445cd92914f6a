import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { BinaryArrays } from '#libs/database';
import { toColumns, type PredictionRecord } from './prediction-record.js';

let client: pg.Client;

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject('ownerUrl') });
  await client.connect();
});

afterAll(() => client.end());

/** Any text that JSON can hold: NUL, lone surrogates and look-alikes are frequent. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc
    .array(
      fc.constantFrom(
        '\0',
        '\ud800',
        '\udfff',
        '\ud83d\ude00',
        '\\',
        'u0000',
        '\\u0000',
        '\\ud800',
        '"',
        '\u2028',
        '\uFFFD',
        'ufffd',
        'ud800',
        'a',
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join('')),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number || 0),
    fc.constantFrom(null, true, false, 5e-324, Number.MAX_VALUE, 2 ** 53 + 2, 1e21),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '')), tie('value'), {
      maxKeys: 4,
    }),
  ),
}));

/** Characters that jsonb lacks become U+FFFD, one by one, so that pairs stay pairs. */
function stored(json: unknown): unknown {
  if (typeof json === 'string') {
    return [...json].map((each) => (isForeign(each) ? '\uFFFD' : each)).join('');
  }
  if (Array.isArray(json)) return json.map(stored);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, each]) => [key, stored(each)]));
}

const isForeign = (character: string) => character === '\0' || /^[\ud800-\udfff]$/.test(character);

/** The original of a recorded key: no key is lost, and no two become one. */
const toldBack = (key: string) =>
  key.replaceAll(/\uFFFDu(0000|fffd|d[89a-f][\da-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

function asSent(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(asSent);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).map(([key, each]) => [toldBack(key), asSent(each)] as const);
  expect(new Set(entries.map(([key]) => key)).size).toBe(entries.length);
  return Object.fromEntries(entries);
}

test('PostgreSQL takes every record, and keeps whatever JSON can hold', async () => {
  const record = fc.record({ input: value, output: value, ignoredColumns: fc.array(text, { maxLength: 3 }) });
  await fc.assert(
    // Many at a time, as the service writes them.
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (records) => {
      const columns = toColumns(
        records.map(({ input, output, ignoredColumns }): PredictionRecord => ({
          userId: 1,
          requestUuid: 'property',
          model: 'iris',
          modelVersion: '1',
          dialect: 'plain',
          input: JSON.stringify(input),
          rowCount: 1,
          ignoredColumns,
          statusCode: 200,
          output: JSON.stringify(output),
          durationMs: 1,
        })),
        new BinaryArrays(),
      );
      const [inputs, ignored, outputs] = [columns[5], columns[7], columns[9]];
      const found = await client.query<{ input: unknown; output: unknown; ignored_columns: string[] }>(
        `SELECT input, output, ignored_columns::text[] AS ignored_columns
         FROM unnest($1::jsonb[], $2::jsonb[], $3::text[]) AS record (input, output, ignored_columns)`,
        [inputs, outputs, ignored],
      );
      const told = found.rows.map(({ input, output, ignored_columns }) => ({
        input: asSent(input),
        output: asSent(output),
        ignored_columns: ignored_columns.map(toldBack),
      }));
      expect(told).toEqual(
        records.map(({ input, output, ignoredColumns }) => ({
          input: stored(JSON.parse(JSON.stringify(input))),
          output: stored(JSON.parse(JSON.stringify(output))),
          ignored_columns: ignoredColumns,
        })),
      );
    }),
    { numRuns: 300 },
  );
});

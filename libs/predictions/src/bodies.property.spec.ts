import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MISSING_VALUES, type Column } from '#libs/inference';
import { parseJsonBody, parsePythonJsonBody, writeJson } from '#libs/json';
import { parseCsvBody } from './dialects/mlflow/csv-body.js';
import { readLayout } from './dialects/mlflow/layouts.js';

/** Without -0, which JSON reads but does not write. */
const json = fc
  .jsonValue({ maxDepth: 5, noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

describe('JSON', () => {
  test('is read as it was written, and recorded as it was read', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        const parsed = parseJsonBody(Buffer.from(text));
        expect(parsed).toEqual(JSON.parse(Buffer.from(text).toString()));
        expect(writeJson(parsed)).toBe(JSON.stringify(parsed));
      }),
      { numRuns: 2_000 },
    );
  });

  test('numbers are read as the nearest float64, and recorded so that they read back', () => {
    const digits = (minLength: number, maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength, maxLength });
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        digits(0, 30),
        digits(0, 30),
        fc.option(fc.integer({ min: -400, max: 400 })),
      )
      .map(([sign, whole, fraction, exponent]) => {
        const mantissa = `${whole.replace(/^0+(?=.)/, '') || '0'}${fraction && `.${fraction}`}`;
        return `${sign}${mantissa}${exponent === null ? '' : `e${exponent}`}`;
      });
    fc.assert(
      fc.property(number, (text) => {
        const value = Number(text);
        const parsed = parseJsonBody(Buffer.from(`{"x":${text}}`)) as { x: number };
        expect(parsed.x).toBe(value);
        const { x } = JSON.parse(writeJson(parsed)) as { x: unknown };
        expect(x).toBe(Number.isFinite(value) ? value || 0 : String(value));
      }),
      { numRuns: 5_000 },
    );
  });

  test('a client in Python writes NaN for unknown values, and Infinity; both stay unchanged in texts', () => {
    const words = ['NaN', 'a NaN', '\\NaN', '"NaN"', '\\"', 'NaN\\', 'Infinity', '-Infinity', '"Infinity'];
    const texts = fc.oneof(json, fc.constantFrom(...words, Infinity, -Infinity));
    fc.assert(
      fc.property(fc.array(fc.option(texts)), (values) => {
        const isInfinite = (each: unknown) => each === Infinity || each === -Infinity;
        const written = values.map((each) => {
          if (each === null) return 'NaN';
          return isInfinite(each) ? String(each) : JSON.stringify(each);
        });
        const parsed = parsePythonJsonBody(Buffer.from(`[${written.join(', ')}]`));
        expect(parsed).toEqual(
          values.map((each) => (isInfinite(each) ? each : (JSON.parse(JSON.stringify(each)) as unknown))),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('any bytes are read or refused, and nothing else is thrown', () => {
    const nearlyJson = fc
      .tuple(
        json,
        fc.nat(),
        fc.constantFrom('', '"', '\\', '{', ']', ',', '\0', '\xff', 'NaN', '1e', '__proto__'),
      )
      .map(([value, at, noise]) => {
        const text = JSON.stringify(value);
        const index = at % (text.length + 1);
        return Buffer.from(text.slice(0, index) + noise + text.slice(index), 'latin1');
      });
    const bytes = fc.oneof(
      nearlyJson,
      fc.uint8Array().map((each) => Buffer.from(each)),
    );
    fc.assert(
      fc.property(
        bytes,
        fc.constantFrom(parseJsonBody, parsePythonJsonBody, (body: Buffer) => parseCsvBody(body, [])),
        (body, parse) => {
          try {
            parse(body);
          } catch (error) {
            expect(error).toMatchObject({ code: 'bad-request' });
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('a table', () => {
  const cell = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.constantFrom(
      '',
      'NA',
      'null',
      '1',
      '25',
      'a,b',
      '"',
      '""',
      'a"b',
      '\n',
      ' x ',
      ',',
      "'",
      '0.0',
      '__proto__',
    ),
  );
  /** The text as UTF-8, with line breaks as the table reader returns them. */
  const clean = (text: string) => text.toWellFormed().replaceAll(/\r\n?/g, '\n');
  const table = fc
    .uniqueArray(cell.map(clean).filter(Boolean), { minLength: 2, maxLength: 5 })
    .chain((columns) =>
      fc.record({
        columns: fc.constant(columns),
        data: fc.array(fc.array(cell.map(clean), { minLength: columns.length, maxLength: columns.length }), {
          maxLength: 6,
        }),
      }),
    );
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const plainOrQuoted = (text: string) => (/[",\n]|^\s|\s$/.test(text) ? quoted(text) : text);

  test('is the same table in CSV, with any quoting and any line ends', () => {
    const write = fc.constantFrom(quoted, plainOrQuoted);
    const lineEnds = fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\r\n\r\n');
    fc.assert(
      fc.property(table, write, lineEnds, fc.boolean(), ({ columns, data }, asCell, end, isEnded) => {
        const lines = [columns, ...data].map((record) => record.map(asCell).join(','));
        const body = Buffer.from(lines.join(end) + (isEnded ? end : ''));
        expect(parseCsvBody(body, [])).toEqual({
          columns,
          data: data.map((record) => record.map((each) => (MISSING_VALUES.has(each) ? null : each))),
        });
      }),
      { numRuns: 3_000 },
    );
  });

  test('asks the same in every layout of MLflow', () => {
    const schema = (names: readonly string[]): Column[] =>
      names.map((name) => ({ name, type: 'categorical', nullable: true, required: true }));
    // To pandas, names such as 0, 1, 2 are positions, not names.
    const named = table.filter(
      ({ columns, data }) => data.length > 0 && !columns.some((name) => /^\d+$/.test(name)),
    );
    fc.assert(
      fc.property(named, ({ columns, data }) => {
        const rows = data.map((row) => Object.fromEntries(row.map((each, index) => [columns[index]!, each])));
        const byColumn = columns.map((name, index) => [name, data.map((row) => row[index])] as const);
        const layouts = [
          { dataframe_split: { columns, data } },
          { dataframe_split: { data } },
          { dataframe_records: rows },
          { instances: data },
          { instances: rows },
          { inputs: data },
          { inputs: Object.fromEntries(byColumn) },
          { instances: Object.fromEntries(byColumn) },
          { data },
          { columns, data },
        ];
        for (const layout of layouts) expect(readLayout(layout, schema(columns))).toEqual(rows);
      }),
      { numRuns: 500 },
    );
  });
});

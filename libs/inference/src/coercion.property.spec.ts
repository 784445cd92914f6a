import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileCoercion } from './coercion.js';
import type { Column } from './input-schema.js';

/**
 * Coercion against the contract's table, read independently: each kind of value in each kind of column, in the plainest
 * form. A difference is printed with the seed that reproduces it.
 */

const WRONG = Symbol('wrong');
type Reading = number | string | typeof WRONG;

/** The kinds of value that the table has a row for. */
type Kind = 'number' | 'decimal text' | 'other text' | 'boolean' | 'null' | 'structure';

/** A row for each kind, a cell for each type of column. */
const TABLE: Record<Kind, Record<Column['type'], (value: never, column: Column) => Reading>> = {
  number: {
    numeric: withinLimits,
    boolean: (value: number) => (value === 0 || value === 1 ? value : WRONG),
    categorical: (value: number, { categories }) =>
      categories?.some((category) => String(category) === String(value)) ? String(value) : WRONG,
  },
  'decimal text': {
    numeric: (value: string, column) => withinLimits(Number.parseFloat(value.trim()), column),
    boolean: word,
    categorical: listedText,
  },
  'other text': { numeric: () => WRONG, boolean: word, categorical: listedText },
  boolean: {
    numeric: (value: boolean, column) => withinLimits(value ? 1 : 0, column),
    boolean: (value: boolean) => (value ? 1 : 0),
    categorical: () => WRONG,
  },
  null: { numeric: missing, boolean: missing, categorical: missing },
  structure: { numeric: () => WRONG, boolean: () => WRONG, categorical: () => WRONG },
};

function read(column: Column, value: unknown): Reading {
  return TABLE[kindOf(value)][column.type](value as never, column);
}

function readAbsent(column: Column): Reading {
  if (column.default !== undefined) return read({ ...column, nullable: true }, column.default);
  return column.required ? WRONG : missing(null, { ...column, nullable: true });
}

function kindOf(value: unknown): Kind {
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return typeof value as 'number' | 'boolean';
  if (typeof value === 'string') return isDecimal(value) ? 'decimal text' : 'other text';
  return 'structure';
}

/** Digit by digit: a sign, digits with at most one point among them, an exponent of digits; white space around it. */
function isDecimal(text: string): boolean {
  const [mantissa = '', exponent, ...more] = text.trim().toLowerCase().split('e');
  const unsigned = (part: string) => (part.startsWith('+') || part.startsWith('-') ? part.slice(1) : part);
  const areDigits = (part: string) => [...part].every((each) => '0123456789'.includes(each));
  const [whole = '', fraction = '', ...points] = unsigned(mantissa).split('.');
  return (
    more.length === 0 &&
    points.length === 0 &&
    areDigits(whole + fraction) &&
    (whole + fraction).length > 0 &&
    (exponent === undefined || (areDigits(unsigned(exponent)) && unsigned(exponent).length > 0))
  );
}

/** From here on the nearest float32 is infinite: half a step above the largest one. */
const NO_FLOAT32 = 2 ** 128 - 2 ** 103;

function withinLimits(value: number, { minimum, maximum }: Column): Reading {
  if (Math.abs(value) >= NO_FLOAT32) return WRONG;
  if (minimum !== undefined && value < minimum) return WRONG;
  if (maximum !== undefined && value > maximum) return WRONG;
  return new Float32Array([value])[0]!;
}

function word(value: string): Reading {
  const words: Record<string, number> = { '0': 0, '1': 1, false: 0, true: 1 };
  const text = value.trim().toLowerCase();
  return Object.hasOwn(words, text) ? words[text]! : WRONG;
}

function listedText(value: string, { categories }: Column): Reading {
  if (!categories) return value === '' ? WRONG : value;
  return categories.map(String).includes(value) ? value : WRONG;
}

function missing(_: unknown, { type, nullable }: Column): Reading {
  if (!nullable) return WRONG;
  return type === 'categorical' ? '' : NaN;
}

const NAMES = ['age', 'sex', '__proto__', 'constructor', 'toString', 'a/b', 'a~b', 'ä ö%', '0', ' '];
const CATEGORIES = ['INLAND', 'NEAR BAY', '25', 25, 1, '0', 'true', 'abc', '', 'NaN', 1.5, -0, 'constructor'];

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -3, max: 30 }),
  fc.constantFrom(0, -0, 1, 0.5, 25, 3.4028234663852886e38, NO_FLOAT32, NO_FLOAT32 - 2 ** 75, 1e39, -1e39),
  fc.constantFrom(1e-45, 7e-46, 1.401298464324817e-45, 2 ** -126, 5e-324, Number.MAX_VALUE, 2 ** 53 + 1),
  // What JSON.parse makes of 1e400.
  fc.constantFrom(Infinity, -Infinity),
);

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 20 });
const decimalText = fc
  .tuple(
    fc.constantFrom('', '', '', ' ', '\t\n', '\u00a0'),
    fc.constantFrom('', '', '-', '+', '--'),
    digits,
    fc.constantFrom('', '.', '.', '..', ','),
    digits,
    fc.constantFrom('', '', '', 'e', 'E', 'e+', 'e-', 'e+-'),
    fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 3 }),
    fc.constantFrom('', '', '', ' ', '\r\n', 'x', '%'),
  )
  .map((parts) => parts.join(''));
const text = fc.oneof(
  decimalText,
  number.map(String),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.mixedCase(fc.constantFrom('true', 'false', ' true', 'false ', '0', '1', 'yes', 'nan', 'infinity')),
  fc.constantFrom(
    '',
    ' ',
    'abc',
    'NaN',
    'Infinity',
    '-Infinity',
    '0x19',
    '1_000',
    '1,5',
    '0b1',
    '1n',
    '٣',
    '２５',
  ),
  fc.constantFrom(...CATEGORIES).map(String),
  fc.constantFrom('9'.repeat(400), `0.${'0'.repeat(400)}1`, '1e400', '1e-400', `${'9'.repeat(40)}e-40`),
);
const value = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 6, arbitrary: text },
  { weight: 2, arbitrary: fc.boolean() },
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constantFrom([25], [], {}, { valueOf: 1 }, [[1]], ['1']) },
);

const column = fc
  .record({
    name: fc.constantFrom(...NAMES),
    type: fc.constantFrom<Column['type']>('numeric', 'boolean', 'categorical'),
    nullable: fc.boolean(),
    required: fc.boolean(),
    limits: fc.tuple(fc.option(number, { nil: undefined }), fc.option(number, { nil: undefined })),
    categories: fc.option(fc.subarray(CATEGORIES, { minLength: 1 }), { nil: undefined }),
    default: fc.option(fc.oneof(number.filter(Number.isFinite), text, fc.boolean(), fc.constant(null)), {
      nil: undefined,
    }),
  })
  .map(({ limits: [minimum, maximum], categories, ...each }): Column => {
    if (each.type === 'numeric') return { ...each, minimum, maximum };
    return each.type === 'categorical' ? { ...each, categories } : each;
  })
  // A default that the column itself refuses is refused when the schema is read.
  .map((each) => (readAbsent(each) === WRONG ? { ...each, default: undefined } : each));

const columns = fc.uniqueArray(column, { selector: ({ name }) => name, minLength: 1, maxLength: 5 });
const entries = fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES, 'more', 'prototype'), value), {
  selector: ([name]) => name,
});

/** A pointer as the contract writes it: `#/age`. */
function pointer(name: string): string {
  return `#/${encodeURIComponent(name.replace(/[~/]/g, (each) => (each === '~' ? '~0' : '~1')))}`;
}

test('coercion is what the contract says, for every value and every column', () => {
  fc.assert(
    fc.property(columns, entries, (schema, given) => {
      const features: Record<string, unknown> = {};
      for (const [name, each] of given) {
        // Like JSON.parse: assigning would set the prototype.
        Object.defineProperty(features, name, { value: each, enumerable: true });
      }
      const expected = schema.map((each) => {
        const found = given.find(([name]) => name === each.name);
        return found ? read(each, found[1]) : readAbsent(each);
      });
      const { row, errors, ignoredColumns } = compileCoercion(schema)(features);
      expect(errors.map((error) => error.pointer)).toEqual(
        schema.flatMap(({ name }, index) => (expected[index] === WRONG ? [pointer(name)] : [])),
      );
      // Zero has no sign here: no model tells the two zeros apart.
      const unsigned = (each: Reading | undefined) => (each === 0 ? 0 : each);
      expected.forEach((each, index) => {
        if (each !== WRONG) expect(unsigned(row[index])).toBe(unsigned(each));
      });
      expect(ignoredColumns.toSorted()).toEqual(
        given.flatMap(([name]) => (schema.some((each) => each.name === name) ? [] : [name])).toSorted(),
      );
    }),
    { numRuns: 10_000 },
  );
});

test('no text from the caller is in what is reported', () => {
  fc.assert(
    fc.property(columns, fc.string({ minLength: 12, maxLength: 40 }), (schema, secret) => {
      const features = Object.fromEntries(schema.map(({ name }) => [name, [secret]]));
      const reported = JSON.stringify(compileCoercion(schema)(features).errors);
      expect(reported).not.toContain(JSON.stringify(secret).slice(1, -1));
    }),
    { numRuns: 1_000 },
  );
});

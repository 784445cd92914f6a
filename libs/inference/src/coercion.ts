import type { FieldError } from '#libs/errors';
import type { Column } from './input-schema.js';
import type { ElementType, Row } from './row.js';

/** One feature dictionary as it came out of JSON. */
export type Features = Record<string, unknown>;

export interface Coerced {
  row: Row;
  /** One entry for each column that is absent or not convertible; the row is usable only if there are none. */
  errors: FieldError[];
  /** Names in the features that the schema does not have. */
  ignoredColumns: string[];
}

/** A converted value, or what is wrong with it; values can be strings, so a mistake is an object. */
export type Converted = number | string | Mistake;
export class Mistake {
  constructor(readonly detail: string) {}
}

type Convert = (value: unknown) => Converted;

/** One column's rules: what happens to a value that is present, and to one that is absent. */
export interface ColumnCoercion {
  readonly name: string;
  readonly convert: Convert;
  readonly absent: Converted;
  /** Whether a number is right, and becomes what an array of the graph's type makes of it. */
  readonly takes: (value: number) => boolean;
}

/** Nobody means longer texts as numbers, but they would cost time and space in the record. */
const MAX_NUMBER_LENGTH = 1_000;
const tooLong = new Mistake(`must be at most ${MAX_NUMBER_LENGTH} characters long`);

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/**
 * Decimal notation, as JSON and people write it: no `0x19`, no `1_000`, no `Infinity`. Each digit can match in only
 * one way: with `\d+\.?\d*`, a text of 100 000 digits and a letter took 12 s to refuse, blocking the event loop.
 */
const PLAIN_DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * Compiles a schema once into the function that every request goes through. All bad columns are reported at once, and
 * the report repeats no value of the caller's. `elementTypes`: what the graph takes, one per column.
 */
export function compileCoercion(
  columns: readonly Column[],
  elementTypes: readonly ElementType[] = columns.map(() => 'float32'),
): (features: Features) => Coerced {
  const compiled = compileColumns(columns, elementTypes).map((column) => ({
    ...column,
    pointer: pointerTo(column.name),
  }));
  const names = new Set(columns.map(({ name }) => name));

  return (features) => {
    const row: Row = new Array(compiled.length);
    const errors: FieldError[] = [];
    let present = 0;
    for (let index = 0; index < compiled.length; index++) {
      const { name, pointer, convert, absent } = compiled[index]!;
      let converted: Converted;
      // `hasOwn`: a column may be named `constructor`, and every object inherits one.
      if (Object.hasOwn(features, name)) {
        present++;
        converted = convert(features[name]);
      } else {
        converted = absent;
      }
      if (converted instanceof Mistake) errors.push({ detail: converted.detail, pointer });
      else row[index] = converted;
    }
    const keys = Object.keys(features);
    const ignoredColumns = keys.length === present ? [] : keys.filter((key) => !names.has(key));
    return { row, errors, ignoredColumns };
  };
}

/** The same rules column by column, for tables. */
export function compileColumns(
  columns: readonly Column[],
  elementTypes: readonly ElementType[],
): ColumnCoercion[] {
  return columns.map((column, index) => {
    const convert = compileColumn(column, elementTypes[index]!);
    const takes = takesOf(column, elementTypes[index]!);
    return { name: column.name, convert, absent: whenAbsent(column, convert), takes };
  });
}

/** A JSON Pointer in a URI fragment (RFC 6901 §6). */
function pointerTo(name: string): string {
  return `#/${encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`;
}

/** The names of the columns that must be present. */
export function requiredNames(columns: readonly Column[]): string[] {
  return columns.filter(isRequired).map(({ name }) => name);
}

function isRequired(column: Column): boolean {
  return column.required && column.default === undefined;
}

function whenAbsent(column: Column, convert: Convert): Converted {
  if (isRequired(column)) return new Mistake('is required');
  const converted = (column.default ?? null) === null ? missing(column) : convert(column.default);
  if (converted instanceof Mistake)
    throw new Error(`the default of column ${column.name} ${converted.detail}`);
  return converted;
}

function missing(column: Column): number | string {
  return column.type === 'categorical' ? '' : NaN;
}

function compileColumn(column: Column, elementType: ElementType): Convert {
  const convert = { numeric, boolean, categorical }[column.type](column, elementType);
  const whenNull = column.nullable ? missing(column) : new Mistake('must not be null');
  return (value) => (value === null ? whenNull : convert(value));
}

/** For tables, whose cells are nearly all right: `convert` says what is wrong with the others. */
function takesOf(
  { type, minimum = -Infinity, maximum = Infinity }: Column,
  elementType: ElementType,
): (value: number) => boolean {
  if (type === 'boolean') return (value) => value === 0 || value === 1;
  const isFloat = elementType === 'float32' || elementType === 'float64';
  if (type !== 'numeric' || !isFloat) return () => false;
  // A number that has no float32 becomes infinite.
  const rounded = elementType === 'float32' ? Math.fround : Number;
  return (value) => Number.isFinite(rounded(value)) && value >= minimum && value <= maximum;
}

/** A number as the graph takes it: rounded to the nearest float32, or kept as a float64, or a whole number. */
function numeric({ minimum = -Infinity, maximum = Infinity }: Column, elementType: ElementType): Convert {
  const isFloat = elementType === 'float32' || elementType === 'float64';
  const notNumeric = new Mistake('must be a number, or a string in plain decimal notation');
  const tooLarge = new Mistake(`must fit a ${elementType === 'float64' ? 64 : 32}-bit floating point number`);
  const notWhole = new Mistake('must be a whole number');
  const outOfRange = new Mistake(rangeText(minimum, maximum));
  const check = (number: number) => {
    const rounded = elementType === 'float32' ? Math.fround(number) : number;
    if (!Number.isFinite(rounded)) return tooLarge;
    if (!isFloat && !Number.isSafeInteger(rounded)) return notWhole;
    return number < minimum || number > maximum ? outOfRange : rounded;
  };
  return (value) => {
    switch (typeof value) {
      case 'number':
        return check(value);
      case 'boolean':
        return check(value ? 1 : 0);
      case 'string': {
        const simple = readSimple(value);
        if (!Number.isNaN(simple)) return check(simple);
        if (value.length > MAX_NUMBER_LENGTH) return tooLong;
        const text = value.trim();
        return PLAIN_DECIMAL.test(text) ? check(Number(text)) : notNumeric;
      }
      default:
        return notNumeric;
    }
  };
}

const MOST_SIMPLE_CHARACTERS = 15;
const POWERS_OF_TEN = Array.from({ length: MOST_SIMPLE_CHARACTERS }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/**
 * Digits with at most one point and one minus, as in nearly every cell of a file, in half the time: fifteen
 * digits and a power of ten below 10^22 are float64s, so that their quotient is what `Number` reads.
 * @returns NaN for every other text, even if it is a number
 */
function readSimple(text: string): number {
  const { length } = text;
  if (length > MOST_SIMPLE_CHARACTERS) return NaN;
  const first = text.charCodeAt(0) === MINUS ? 1 : 0;
  let digits = 0;
  let point = -1;
  for (let at = first; at < length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit;
    else if (digit === POINT - ZERO && point < 0) point = at;
    else return NaN;
  }
  if (length - first - (point < 0 ? 0 : 1) < 1) return NaN;
  const size = point < 0 ? digits : digits / POWERS_OF_TEN[length - 1 - point]!;
  return first === 0 ? size : -size;
}

function rangeText(minimum: number, maximum: number): string {
  if (maximum === Infinity) return `must be at least ${minimum}`;
  return minimum === -Infinity ? `must be at most ${maximum}` : `must be from ${minimum} to ${maximum}`;
}

function boolean(): Convert {
  const notBoolean = new Mistake('must be true, false, 0 or 1, or one of these as a string');
  const words = new Map([
    ['0', 0],
    ['1', 1],
    ['false', 0],
    ['true', 1],
  ]);
  return (value) => {
    switch (typeof value) {
      case 'boolean':
        return value ? 1 : 0;
      case 'number':
        return value === 0 || value === 1 ? value : notBoolean;
      case 'string':
        // As in nearly every cell.
        if (value === '0') return 0;
        if (value === '1') return 1;
        if (value.length > MAX_NUMBER_LENGTH) return tooLong;
        return words.get(value.trim().toLowerCase()) ?? notBoolean;
      default:
        return notBoolean;
    }
  };
}

function categorical({ categories }: Column): Convert {
  const listed = categories && new Set(categories.map(String));
  const notListed = new Mistake(
    listed
      ? `must be one of ${[...listed].map((category) => JSON.stringify(category)).join(', ')}`
      : 'must be a string',
  );
  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') return notListed;
    if (listed) return listed.has(String(value)) ? String(value) : notListed;
    return typeof value === 'string' && value !== '' ? value : notListed;
  };
}

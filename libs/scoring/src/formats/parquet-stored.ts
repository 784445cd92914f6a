import type { SchemaElement } from 'hyparquet';

/** Rows of a column as they are stored. */
export interface Stored {
  readonly rows: number;
  /** By row. Null or undefined if there is none; what is there for an absent row does not count. */
  readonly values: ArrayLike<unknown>;
  /** 0 for an absent row; left out if all are there, or `values` says it. */
  readonly present?: Uint8Array;
  /** The values are places in this dictionary, as it is in the file. */
  readonly words?: ArrayLike<unknown>;
}

/** The types whose values are numbers of JavaScript's arrays. */
export const NUMBERS = {
  INT32: Int32Array,
  INT64: BigInt64Array,
  FLOAT: Float32Array,
  DOUBLE: Float64Array,
} as const;
export type NumberType = keyof typeof NUMBERS;
type Numbers = InstanceType<(typeof NUMBERS)[NumberType]>;

/** Values that pad a packed run: others write 63 groups of eight at a time. */
export const MOST_FILLING = 512;

export function isNumberType(type: string | undefined): type is NumberType {
  return type !== undefined && Object.hasOwn(NUMBERS, type);
}

export function valueAt({ values, present, words }: Stored, row: number): unknown {
  if (present?.[row] === 0) return undefined;
  return words ? words[values[row] as number] : values[row];
}

export function part(stored: Stored, from: number, to: number): Stored {
  if (from === 0 && to === stored.rows) return stored;
  const { values, present, words } = stored;
  const cut = (values as Int32Array).slice(from, to);
  return { rows: to - from, values: cut, present: present?.slice(from, to), words };
}

/** One after the other. */
export function joined(parts: readonly Stored[], { type }: SchemaElement): Stored {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const rows = parts.reduce((sum, each) => sum + each.rows, 0);
  const words = parts.every((each) => each.words === first?.words) ? first?.words : undefined;
  const areTyped = parts.every(
    ({ values, words: own }) => ArrayBuffer.isView(values) && (!own || ArrayBuffer.isView(own)),
  );
  if (!words && !(areTyped && isNumberType(type))) {
    const values = parts.flatMap((each) => Array.from({ length: each.rows }, (_, row) => valueAt(each, row)));
    return { rows, values };
  }
  const values = words ? new Int32Array(rows) : new NUMBERS[type as NumberType](rows);
  const present = parts.some((each) => each.present) ? new Uint8Array(rows).fill(1) : undefined;
  let at = 0;
  for (const each of parts) {
    if (each.present) present!.set(each.present, at);
    if (words || !each.words) (values as Int32Array).set(each.values as Int32Array, at);
    else {
      const places = each.values as Int32Array;
      for (let row = 0; row < each.rows; row++) values[at + row] = each.words[places[row]!] as number;
    }
    at += each.rows;
  }
  return { rows, values, present, words };
}

/** Some of the rows. */
export function picked(stored: Stored, rows: readonly number[]): Stored {
  if (rows.length === stored.rows) return stored;
  const { present, words } = stored;
  const values = rows.map((row) => stored.values[row]);
  return {
    rows: rows.length,
    values,
    present: present && Uint8Array.from(rows, (row) => present[row]!),
    words,
  };
}

/** Which rows have a value, from levels of one bit. @throws Error */
export function presence(levels: Uint8Array, rows: number): Uint8Array {
  const present = new Uint8Array(rows);
  readRuns(levels, 0, 1, present, rows);
  return present;
}

export function countOf(present: Uint8Array): number {
  let count = 0;
  for (let row = 0; row < present.length; row++) count += present[row]!;
  return count;
}

/** Places in a dictionary; after so many, there is room up to `rows`. @throws Error */
export function placesIn(bytes: Uint8Array, count: number, rows: number, words: number): Int32Array {
  const places = new Int32Array(rows);
  if (count === 0) return places;
  readRuns(bytes, 1, bytes[0] ?? 0, places, count);
  for (let row = 0; row < count; row++) {
    if (places[row]! >= words) throw new Error('a value is not in its dictionary');
  }
  return places;
}

/** Numbers as they are; after so many, there is room up to `rows`. @throws Error */
export function numbersIn(bytes: Uint8Array, count: number, rows: number, type: NumberType): Numbers {
  const numbers = new NUMBERS[type](rows);
  const size = count * numbers.BYTES_PER_ELEMENT;
  if (bytes.length < size) throw new Error('it is cut off');
  // All machines that Node runs on have the lowest byte first, like Parquet.
  new Uint8Array(numbers.buffer).set(bytes.subarray(0, size));
  return numbers;
}

/** Moves values that follow one another to the rows that have one. */
export function spread(values: Int32Array | Numbers, present: Uint8Array, count: number): void {
  const moved = values as Int32Array;
  for (let row = present.length - 1, from = count - 1; from < row; row--) {
    if (present[row] === 1) moved[row] = moved[from--]!;
  }
}

/** Parquet's hybrid of runs and packed bits. @throws Error if it is damaged, or repeats a value too often */
function readRuns(
  bytes: Uint8Array,
  start: number,
  bits: number,
  into: Uint8Array | Int32Array,
  count: number,
): void {
  // No dictionary has as many words as larger places could name.
  if (bits > 24) throw new Error('its header is damaged');
  if (bits === 0) return;
  const mask = (1 << bits) - 1;
  for (let at = start, seen = 0; seen < count;) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) throw new Error('it is cut off');
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const isPacked = header % 2 === 1;
    const length = Math.floor(header / 2) * (isPacked ? 8 : 1);
    if (length > count - seen + (isPacked ? MOST_FILLING : 0)) {
      throw new Error('it repeats a value more often than it has rows');
    }
    const end = Math.min(seen + length, count);
    if (isPacked) {
      if (at + Math.ceil(((end - seen) * bits) / 8) > bytes.length) throw new Error('it is cut off');
      const next = at + (length / 8) * bits;
      for (let held = 0, heldBits = 0; seen < end; seen++) {
        while (heldBits < bits) {
          held |= bytes[at++]! << heldBits;
          heldBits += 8;
        }
        into[seen] = held & mask;
        held >>>= bits;
        heldBits -= bits;
      }
      at = next;
    } else {
      let value = 0;
      for (let shift = 0; shift < bits; shift += 8) value |= (bytes[at++] ?? 0) << shift;
      into.fill(value, seen, end);
      seen = end;
    }
  }
}

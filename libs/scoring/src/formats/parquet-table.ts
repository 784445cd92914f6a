import { openSync, readSync } from 'node:fs';
import type { KeyValue, SchemaElement } from 'hyparquet';
import { formatFloat32 } from '#libs/inference';
import { quoted } from '../messages.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { type ColumnChunk, ColumnReader, Kept } from './parquet-pages.js';
import { type Stored, valueAt } from './parquet-stored.js';
import { areNumbers, isSingle, type Meaning, meaningOf, Numeral } from './parquet-values.js';

/** A row group, as it is in the file: its columns in the order of the schema. */
export interface RowGroupPlace {
  /** From 1. */
  number: number;
  /** Its first row, from 0. */
  start: number;
  rows: number;
  columns: readonly ColumnChunk[];
}

/** Rows of a file that are read at once; they are in one row group. */
export interface ParquetRows {
  start: number;
  end: number;
  group: RowGroupPlace;
}

/** What the output takes over from a file's list of contents. */
export interface ParquetContents {
  /** As its schema has them. */
  columns: readonly SchemaElement[];
  /** The places of categorical columns: which categories there are, and their order, is in their dictionaries. */
  categorical: ReadonlySet<number>;
  keyValues: readonly KeyValue[];
}

/** A column that is written again. */
export interface CopiedColumn extends Stored {
  /** Its dictionary says which categories there are, and is written with all words that it has. */
  readonly keepsWords?: boolean;
}

/** The most that one column of these rows may hold: texts stored once and used often are small only in the file. */
const MAX_COLUMN_BYTES = 256 * 1024 ** 2;
/** A dictionary that is kept is in each row group that is written, which has this many rows. */
const MAX_WORDS = 32_768;
const WIDTHS: Record<string, number> = { BOOLEAN: 1, INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8, INT96: 12 };

/** A Parquet file, open for reading: its columns, by their places. */
export class ParquetFile {
  private readonly fd: number;
  private readonly places: ReadonlyMap<string, number>;
  private readonly meanings: readonly (Meaning | undefined)[];
  private readonly readers = new Map<number, { of: number; reader: ColumnReader }>();
  private readonly kept = new Kept();
  /** A dictionary is used for many rows: its words are made numbers once. */
  private readonly numbersOf = new WeakMap<object, Float64Array>();
  readonly schema: readonly SchemaElement[];
  readonly categorical: ReadonlySet<number>;
  /** How much of it was read so far, unpacked. */
  unpackedBytes = 0;

  constructor(path: string, { columns: schema, categorical }: ParquetContents) {
    this.schema = schema;
    this.categorical = categorical;
    this.fd = openSync(path, 'r');
    this.places = new Map(schema.map(({ name }, index) => [name, index]));
    this.meanings = schema.map(meaningOf);
  }

  placeOf(name: string): number | undefined {
    return this.places.get(name);
  }

  /** A column's values as they are stored. @throws InputError naming it */
  stored(place: number, { start, end, group }: ParquetRows): Stored {
    const element = this.schema[place]!;
    return this.naming(place, `row group ${group.number}`, () => {
      const stored = this.reader(place, group).values(start - group.start, end - group.start);
      const bytes = bytesIn(stored, element);
      if (bytes > MAX_COLUMN_BYTES) {
        throw new Error(
          `rows ${start + 1} to ${end} of it have more than ${MAX_COLUMN_BYTES / 1024 ** 2} MiB`,
        );
      }
      this.unpackedBytes += bytes;
      return stored;
    });
  }

  /** @returns whether the column is one of numbers */
  readNumbers(place: number, { rows, values, present, words }: Stored, into: Float64Array): boolean {
    if (!areNumbers(this.schema[place]!)) return false;
    const numbers = words ? this.wordsAsNumbers(words) : undefined;
    for (let row = 0; row < rows; row++) {
      if (present?.[row] === 0) into[row] = NaN;
      else if (numbers) into[row] = numbers[values[row] as number]!;
      else into[row] = numberOf(values[row]);
    }
    return true;
  }

  private wordsAsNumbers(words: ArrayLike<unknown>): Float64Array {
    let numbers = this.numbersOf.get(words);
    if (!numbers) {
      numbers = Float64Array.from(words, numberOf);
      this.numbersOf.set(words, numbers);
    }
    return numbers;
  }

  /** What a value of a column means; null if it is missing. @throws InputError naming the column and the row */
  meant(place: number, stored: unknown, row: number): ReturnType<Meaning> | null {
    if (stored === null || stored === undefined) return null;
    const meaning = this.meanings[place];
    const value = meaning
      ? this.naming(place, `row ${row}`, () => meaning(stored))
      : (stored as number | boolean);
    return Number.isNaN(value) ? null : value;
  }

  refusal(place: number, where: string, what: string, cause?: unknown): InputError {
    const name = quoted(this.schema[place]!.name);
    return new InputError(`The Parquet file cannot be read: column ${name}, ${where}: ${what}.`, { cause });
  }

  private naming<T>(place: number, where: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.refusal(place, where, (error as Error).message, error);
    }
  }

  private reader(place: number, { number, rows, columns }: RowGroupPlace): ColumnReader {
    const found = this.readers.get(place);
    if (found?.of === number) return found.reader;
    found?.reader.forget();
    const column = columns[place]!;
    const read = (offset: number, length: number) => this.bytesAt(column, offset, length);
    const reader = new ColumnReader(read, column, this.schema[place]!, rows, this.kept);
    this.readers.set(place, { of: number, reader });
    return reader;
  }

  private bytesAt(column: ColumnChunk, offset: number, length: number): Uint8Array {
    const buffer = Buffer.allocUnsafeSlow(length);
    for (let read = 0; read < length;) {
      const more = readSync(this.fd, buffer, read, length - read, column.offset + offset + read);
      if (more === 0) throw new Error('the file ends before it');
      read += more;
    }
    return buffer;
  }
}

/** What is not there is NaN; a whole number is rounded as its text would be. */
function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : NaN;
}

function bytesIn(stored: Stored, { type, type_length: length }: SchemaElement): number {
  if (type !== 'BYTE_ARRAY') return stored.rows * (WIDTHS[type!] ?? length ?? 0);
  let bytes = 0;
  for (let row = 0; row < stored.rows; row++)
    bytes += 4 + ((valueAt(stored, row) as Uint8Array | null | undefined)?.length ?? 0);
  return bytes;
}

/** Rows of a Parquet file. A NaN is a missing value, as in the frameworks that write such files. */
export class ParquetTable implements Table {
  /** Texts are taken literally: a missing value is null, or NaN. */
  readonly missing: ReadonlySet<string> = new Set();
  readonly problems = new Map<number, string>();
  private readonly columns = new Map<number, Stored>();

  constructor(
    private readonly file: ParquetFile,
    private readonly rows: ParquetRows,
  ) {}

  get rowCount(): number {
    return this.rows.end - this.rows.start;
  }

  values(name: string): (row: number) => unknown {
    const place = this.file.placeOf(name);
    if (place === undefined) return () => undefined;
    const column = this.column(place);
    return (row) => {
      const value = this.file.meant(place, valueAt(column, row), this.placeOf(row));
      return value instanceof Numeral ? value.text : value;
    };
  }

  readNumbers(name: string, into: Float64Array): boolean {
    const place = this.file.placeOf(name);
    return place !== undefined && this.file.readNumbers(place, this.column(place), into);
  }

  placeOf(row: number): number {
    return this.rows.start + row + 1;
  }

  fields(row: number): readonly string[] {
    return this.file.schema.map((element, place) => {
      const value = this.meant(place, row);
      if (value === null) return '';
      // As Python and pandas write and read them.
      if (value === Infinity || value === -Infinity) return value > 0 ? 'inf' : '-inf';
      return textOf(value, element);
    });
  }

  members(row: number): string {
    return this.file.schema
      .map((element, place) => {
        const value = this.meant(place, row);
        return `${JSON.stringify(element.name)}:${value === null ? 'null' : jsonOf(value, element)}`;
      })
      .join(',');
  }

  /** A column as it is written again: as it is stored, and not kept here. @throws InputError */
  copied(place: number): CopiedColumn {
    const stored = this.columns.get(place) ?? this.file.stored(place, this.rows);
    if (this.file.schema[place]!.type === 'INT96') this.checkNanoseconds(place, stored);
    const keepsWords = this.file.categorical.has(place) && (stored.words?.length ?? Infinity) <= MAX_WORDS;
    return { ...stored, keepsWords };
  }

  /** Times of 96 bits are written with 64. */
  private checkNanoseconds(place: number, stored: Stored): void {
    for (let row = 0; row < stored.rows; row++) {
      const nanos = valueAt(stored, row) as bigint | null | undefined;
      if (nanos === null || nanos === undefined || BigInt.asIntN(64, nanos) === nanos) continue;
      throw this.file.refusal(
        place,
        `row ${this.placeOf(row)}`,
        'a time of it is beyond the years 1677 to 2262, which 64 bits of nanoseconds have',
      );
    }
  }

  private column(place: number): Stored {
    const stored = this.columns.get(place) ?? this.file.stored(place, this.rows);
    this.columns.set(place, stored);
    return stored;
  }

  private meant(place: number, row: number): ReturnType<Meaning> | null {
    return this.file.meant(place, valueAt(this.column(place), row), this.placeOf(row));
  }
}

function textOf(value: ReturnType<Meaning>, element: SchemaElement): string {
  if (value instanceof Numeral) return value.text;
  return typeof value === 'number' && isSingle(element) ? formatFloat32(value) : String(value);
}

/** JSON has no infinities: as in the record, they are texts. */
function jsonOf(value: ReturnType<Meaning>, element: SchemaElement): string {
  const isText = typeof value === 'string' || value === Infinity || value === -Infinity;
  return isText ? JSON.stringify(String(value)) : textOf(value, element);
}

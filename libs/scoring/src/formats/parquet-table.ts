import { openSync, readSync } from 'node:fs';
import type { KeyValue, SchemaElement } from 'hyparquet';
import { formatFloat32 } from '#libs/inference';
import { quoted } from '../messages.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { type ColumnChunk, readStored, type Stored } from './parquet-pages.js';
import { isSingle, type Meaning, meaningOf, Numeral } from './parquet-values.js';

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
    const column = group.columns[place]!;
    return this.naming(place, `row group ${group.number}`, () => {
      const selection = { start: start - group.start, end: end - group.start, rows: group.rows };
      const stored = readStored(this.bytesOf(column), column, element, selection);
      const bytes = bytesIn(stored.values, element);
      if (bytes > MAX_COLUMN_BYTES) {
        throw new Error(
          `rows ${start + 1} to ${end} of it have more than ${MAX_COLUMN_BYTES / 1024 ** 2} MiB`,
        );
      }
      this.unpackedBytes += bytes;
      return stored;
    });
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

  private bytesOf({ offset, bytes }: ColumnChunk): Uint8Array {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    for (let read = 0; read < bytes;) {
      const more = readSync(this.fd, buffer, read, bytes - read, offset + read);
      if (more === 0) throw new Error('the file ends before it');
      read += more;
    }
    return buffer;
  }
}

function bytesIn(values: ArrayLike<unknown>, { type, type_length: length }: SchemaElement): number {
  if (type !== 'BYTE_ARRAY') return values.length * (WIDTHS[type!] ?? length ?? 0);
  let bytes = 0;
  for (let row = 0; row < values.length; row++)
    bytes += 4 + ((values[row] as Uint8Array | null)?.length ?? 0);
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
      const value = this.file.meant(place, column[row], this.placeOf(row));
      return value instanceof Numeral ? value.text : value;
    };
  }

  readNumbers(): boolean {
    return false;
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
  copied(place: number): Stored {
    const { values, words } = this.columns.get(place) ?? this.file.stored(place, this.rows);
    if (this.file.schema[place]!.type === 'INT96') this.checkNanoseconds(place, values);
    const areCategories =
      this.file.categorical.has(place) && words !== undefined && words.length <= MAX_WORDS;
    return { values, words: areCategories ? words : undefined };
  }

  /** Times of 96 bits are written with 64. */
  private checkNanoseconds(place: number, values: ArrayLike<unknown>): void {
    for (let row = 0; row < values.length; row++) {
      const nanos = values[row] as bigint | null | undefined;
      if (nanos === null || nanos === undefined || BigInt.asIntN(64, nanos) === nanos) continue;
      throw this.file.refusal(
        place,
        `row ${this.placeOf(row)}`,
        'a time of it is beyond the years 1677 to 2262, which 64 bits of nanoseconds have',
      );
    }
  }

  private column(place: number): ArrayLike<unknown> {
    const stored = this.columns.get(place) ?? this.file.stored(place, this.rows);
    this.columns.set(place, stored);
    return stored.values;
  }

  private meant(place: number, row: number): ReturnType<Meaning> | null {
    return this.file.meant(place, this.column(place)[row], this.placeOf(row));
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

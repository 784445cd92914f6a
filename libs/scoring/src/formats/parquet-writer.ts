import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { writeColumn } from 'hyparquet-writer/src/column.js';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeDictionaryPage } from 'hyparquet-writer/src/dictionary.js';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import type { ColumnEncoder, PageData } from 'hyparquet-writer/src/types.js';
import type { PlacedLater } from '../output-file.js';
import type { AddedColumn } from '../table.js';
import { withColumns } from './parquet-metadata.js';
import { asDeclared, asStored } from './parquet-schema.js';
import { countOf, picked, type Stored, valueAt } from './parquet-stored.js';
import type { CopiedColumn, ParquetContents } from './parquet-table.js';
import type { Added } from './writers.js';

/** "PAR1", at both ends of a file. */
const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31);

const PAGE_BYTES = 1024 ** 2;

/** What a file's schema is made of: the columns it is copied from or, for text, their names; and what is added. */
export interface ParquetShape {
  copied?: ParquetContents;
  names: readonly string[];
  added: readonly AddedColumn[];
}

const ADDED_TYPES = {
  float32: { type: 'FLOAT' },
  float64: { type: 'DOUBLE' },
  integer: { type: 'INT32' },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
} as const satisfies Record<AddedColumn['type'], Partial<SchemaElement>>;

const ARRAYS = { float32: Float32Array, float64: Float64Array, integer: Int32Array } as const;
/** A dictionary of so few words is written again as it is: to look for those that are used would take longer. */
const FEW_WORDS = 1_024;
/** The numbers of classes. */
const MOST_SMALL = 256;
const SMALL = Int32Array.from({ length: MOST_SMALL }, (_, value) => value);

/**
 * Encodes rows as one row group.
 * @param columnAt a column's values by its place; called for one after the other, so that one is in memory at a time
 */
export function writeRowGroup(
  shape: ParquetShape,
  columnAt: (place: number) => CopiedColumn,
  added: Added,
  rows: readonly number[],
): PlacedLater {
  if (rows.length === 0) return { bytes: new Uint8Array(), rowGroups: [] };
  const [root, ...elements] = schemaOf(shape, asStored);
  const copied = elements.length - added.length;
  const writer = new ByteWriter();
  // Where it is in the file is known later; positions are counted from the file's beginning.
  writer.appendBytes(MAGIC);
  const columns = elements.map((element, place) => {
    const encoder = encoderOf(root!, element);
    if (place >= copied) return writeStored(writer, encoder, addedColumn(added[place - copied]!, rows));
    const column = columnAt(place);
    return writeStored(writer, encoder, { ...column, ...picked(column, rows) });
  });
  const sizeOf = (size: 'total_uncompressed_size' | 'total_compressed_size') =>
    columns.reduce((sum, { meta_data: meta }) => sum + meta![size], 0n);
  const group: RowGroup = {
    columns,
    num_rows: BigInt(rows.length),
    total_byte_size: sizeOf('total_uncompressed_size'),
    total_compressed_size: sizeOf('total_compressed_size'),
  };
  return { bytes: writer.getBytes().slice(MAGIC.length), rowGroups: [group] };
}

function encoderOf(root: SchemaElement, element: SchemaElement): ColumnEncoder {
  return {
    columnName: element.name,
    element,
    schemaPath: [root, element],
    codec: 'SNAPPY',
    compressors: { SNAPPY: snappyCompress },
    stats: false,
    pageSize: PAGE_BYTES,
    columnIndex: false,
    offsetIndex: false,
  };
}

/** A column that is not in the input: numbers in an array, or texts. */
function addedColumn({ type, at }: Added[number], rows: readonly number[]): Stored {
  const all = rows.map(at);
  if (type === 'string') {
    const isEmpty = all.every((value) => value === null);
    return isEmpty ? absent(rows.length) : { rows: rows.length, values: all };
  }
  const values = new ARRAYS[type](rows.length);
  const present = new Uint8Array(rows.length);
  for (let row = 0; row < rows.length; row++) {
    const value = all[row];
    if (value === null) continue;
    values[row] = value as number;
    present[row] = 1;
  }
  // Few different whole numbers take little room as places in a dictionary of all up to the largest.
  if (type !== 'integer' || values.some((value) => value < 0 || value >= MOST_SMALL)) {
    return { rows: rows.length, values, present };
  }
  return { rows: rows.length, values, present, words: SMALL };
}

function absent(rows: number): Stored {
  return { rows, values: new Int32Array(rows), present: new Uint8Array(rows) };
}

function writeStored(writer: ByteWriter, column: ColumnEncoder, stored: CopiedColumn): ColumnChunk {
  const isNullable = column.element.repetition_type !== 'REQUIRED';
  const present = stored.present && countOf(stored.present) < stored.rows ? stored.present : undefined;
  const isTyped = ArrayBuffer.isView(stored.values);
  // A required column that lacks a value is refused there.
  if (!isTyped || (present && !isNullable)) return writeTexts(writer, column, stored, isNullable);
  const dense = present ? withoutAbsent(stored.values as Int32Array, present) : (stored.values as Int32Array);
  const start = writer.offset;
  let size = 0;
  let page: Uint8Array;
  let dataStart = start;
  const usesWords = stored.words !== undefined && (dense.length > 0 || stored.keepsWords);
  if (stored.words && usesWords) {
    const keepsAll = stored.keepsWords || stored.words.length <= FEW_WORDS;
    const { places, words } = keepsAll
      ? { places: dense, words: Array.from(stored.words) }
      : usedWords(dense, stored.words);
    size += writeDictionaryPage(writer, column, words as never);
    dataStart = writer.offset;
    page = packed(places, Math.max(1, 32 - Math.clz32(words.length - 1)), true);
  } else {
    page = new Uint8Array(dense.buffer, dense.byteOffset, dense.byteLength);
  }
  const levels = isNullable ? levelsOf(present, stored.rows) : new Uint8Array();
  const compressed = snappyCompress(page);
  const headerStart = writer.offset;
  writePageHeader(writer, {
    type: 'DATA_PAGE_V2',
    uncompressed_page_size: levels.length + page.length,
    compressed_page_size: levels.length + compressed.length,
    data_page_header_v2: {
      num_values: stored.rows,
      num_nulls: stored.rows - dense.length,
      num_rows: stored.rows,
      encoding: usesWords ? 'RLE_DICTIONARY' : 'PLAIN',
      definition_levels_byte_length: levels.length,
      repetition_levels_byte_length: 0,
      is_compressed: true,
    },
  });
  size += writer.offset - headerStart + levels.length + page.length;
  writer.appendBytes(levels);
  writer.appendBytes(compressed);
  return {
    file_offset: BigInt(start),
    meta_data: {
      type: column.element.type!,
      encodings: usesWords ? ['PLAIN', 'RLE_DICTIONARY'] : ['PLAIN'],
      path_in_schema: [column.columnName],
      codec: column.codec,
      num_values: BigInt(stored.rows),
      total_uncompressed_size: BigInt(size),
      total_compressed_size: BigInt(writer.offset - start),
      data_page_offset: BigInt(dataStart),
      dictionary_page_offset: usesWords ? BigInt(start) : undefined,
    },
  };
}

/** What is no array of numbers is written by the library. */
function writeTexts(
  writer: ByteWriter,
  column: ColumnEncoder,
  stored: Stored,
  isNullable: boolean,
): ColumnChunk {
  const values = Array.from({ length: stored.rows }, (_, row) => valueAt(stored, row));
  const pageData: PageData = {
    values,
    definitionLevels: isNullable
      ? values.map((value) => (value === null || value === undefined ? 0 : 1))
      : [],
    repetitionLevels: [],
    maxDefinitionLevel: isNullable ? 1 : 0,
  };
  return writeColumn({ writer, column, pageData }).chunk;
}

function withoutAbsent(values: Int32Array, present: Uint8Array): Int32Array {
  const dense = values.slice();
  let count = 0;
  for (let row = 0; row < values.length; row++) {
    if (present[row] === 1) dense[count++] = values[row]!;
  }
  return dense.subarray(0, count);
}

/** The words that these values are, in the order in which they come, and the values as places among them. */
function usedWords(values: Int32Array, words: ArrayLike<unknown>): { places: Int32Array; words: unknown[] } {
  const placeOf = new Int32Array(words.length).fill(-1);
  const used: unknown[] = [];
  const places = new Int32Array(values.length);
  for (let row = 0; row < values.length; row++) {
    const word = values[row]!;
    if (placeOf[word] === -1) placeOf[word] = used.push(words[word]) - 1;
    places[row] = placeOf[word]!;
  }
  return { places, words: used };
}

/** One packed run of Parquet's hybrid, after how many bits each value has, if that is asked for. */
function packed(values: Int32Array | Uint8Array, bits: number, saysBits: boolean): Uint8Array {
  const groups = Math.ceil(values.length / 8);
  const writer = new ByteWriter();
  if (saysBits) writer.appendUint8(bits);
  writer.appendVarInt((groups << 1) | 1);
  const bytes = new Uint8Array(groups * bits);
  let [at, held, heldBits] = [0, 0, 0];
  for (let row = 0; row < values.length; row++) {
    held |= values[row]! << heldBits;
    for (heldBits += bits; heldBits >= 8; heldBits -= 8) {
      bytes[at++] = held;
      held >>>= 8;
    }
  }
  if (heldBits > 0) bytes[at] = held;
  writer.appendBytes(bytes);
  return writer.getBytes();
}

/** Which rows have a value: a run of ones, or a bit each. */
function levelsOf(present: Uint8Array | undefined, rows: number): Uint8Array {
  if (present) return packed(present, 1, false);
  const writer = new ByteWriter();
  writer.appendVarInt(rows << 1);
  writer.appendUint8(1);
  return writer.getBytes();
}

export function parquetHeader(): Uint8Array {
  return MAGIC;
}

/** Everything after the row groups. */
export function parquetFooter(shape: ParquetShape, rowGroups: readonly RowGroup[]): Uint8Array {
  const writer = new ByteWriter();
  const { copied, added } = shape;
  const keyValues = copied && withColumns(copied.keyValues, copied.columns.length, added);
  const parquet = new ParquetWriter({
    writer,
    schema: schemaOf(shape, asDeclared),
    createdBy: 'foretell',
    kvMetadata: keyValues?.length ? keyValues : undefined,
  });
  parquet.row_groups = [...rowGroups];
  parquet.num_rows = rowGroups.reduce((rows, { num_rows }) => rows + num_rows, 0n);
  void parquet.finish();
  return writer.getBytes().slice(MAGIC.length);
}

function schemaOf({ copied, names, added }: ParquetShape, as: typeof asStored): SchemaElement[] {
  const columns = copied
    ? copied.columns.map(as)
    : names.map((name): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...ADDED_TYPES.string }));
  const more = added.map(({ name, type }): SchemaElement => ({
    name,
    repetition_type: 'OPTIONAL',
    ...ADDED_TYPES[type],
  }));
  return [{ name: 'root', num_children: columns.length + more.length }, ...columns, ...more];
}

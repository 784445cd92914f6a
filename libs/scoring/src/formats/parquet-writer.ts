import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { writeColumn } from 'hyparquet-writer/src/column.js';
import { writeDataPageV2 } from 'hyparquet-writer/src/datapage.js';
import { writeDictionaryPage } from 'hyparquet-writer/src/dictionary.js';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import type { ColumnEncoder, PageData } from 'hyparquet-writer/src/types.js';
import type { PlacedLater } from '../output-file.js';
import type { AddedColumn } from '../table.js';
import { withColumns } from './parquet-metadata.js';
import type { Stored } from './parquet-pages.js';
import { asDeclared, asStored } from './parquet-schema.js';
import type { ParquetContents } from './parquet-table.js';
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

/**
 * Encodes rows as one row group.
 * @param columnAt a column's values by its place; called for one after the other, so that one is in memory at a time
 */
export function writeRowGroup(
  shape: ParquetShape,
  columnAt: (place: number) => Stored,
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
    const { values, words }: Stored =
      place < copied ? columnAt(place) : { values: rows.map(added[place - copied]!.at) };
    const picked = place < copied ? rows.map((row) => values[row]) : (values as unknown[]);
    return writeValues(writer, encoderOf(root!, element), picked, words);
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

/** `words`: everything in its dictionary, which says what categories there are. */
function writeValues(
  writer: ByteWriter,
  column: ColumnEncoder,
  values: unknown[],
  words: ArrayLike<unknown> = [],
): ColumnChunk {
  const isNullable = column.element.repetition_type !== 'REQUIRED';
  const pageData: PageData = {
    values,
    definitionLevels: isNullable
      ? values.map((value) => (value === null || value === undefined ? 0 : 1))
      : [],
    repetitionLevels: [],
    maxDefinitionLevel: isNullable ? 1 : 0,
  };
  if (words.length === 0) return writeColumn({ writer, column, pageData }).chunk;
  const places = new Map(Array.from(words, (word, place) => [word, place]));
  const start = writer.offset;
  let size = writeDictionaryPage(writer, column, Array.from(words));
  const dataStart = writer.offset;
  size += writeDataPageV2({
    writer,
    column,
    encoding: 'RLE_DICTIONARY',
    pageData: { ...pageData, values: values.map((value) => places.get(value)) },
  });
  return {
    file_offset: BigInt(start),
    meta_data: {
      type: column.element.type!,
      encodings: ['PLAIN', 'RLE_DICTIONARY'],
      path_in_schema: [column.columnName],
      codec: column.codec,
      num_values: BigInt(values.length),
      total_uncompressed_size: BigInt(size),
      total_compressed_size: BigInt(writer.offset - start),
      data_page_offset: BigInt(dataStart),
      dictionary_page_offset: BigInt(start),
    },
  };
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

import type { FileMetaData, RowGroup, SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { AddedColumn } from '../table.js';
import { asDeclared, asStored, columnsOf } from './parquet-table.js';
import type { PlacedLater } from './row-groups.js';
import type { Added } from './writers.js';

/** "PAR1", at both ends of a file. */
const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x31);

/** What a file's schema is made of: the columns it is copied from or, of text, their names; and what is added. */
export interface ParquetShape {
  copied?: FileMetaData;
  names: readonly string[];
  added: readonly AddedColumn[];
}

const ADDED_TYPES = {
  float32: { type: 'FLOAT' },
  float64: { type: 'DOUBLE' },
  integer: { type: 'INT32' },
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
} as const satisfies Record<AddedColumn['type'], Partial<SchemaElement>>;

/** Encodes rows as one row group. */
export function writeRowGroup(
  shape: ParquetShape,
  columns: readonly ArrayLike<unknown>[],
  added: Added,
  rows: readonly number[],
): PlacedLater {
  const schema = schemaOf(shape, asStored);
  const pick = (at: (row: number) => unknown) => rows.map(at);
  const data = [...columns.map((column) => pick((row) => column[row])), ...added.map(({ at }) => pick(at))];
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({ writer, schema, statistics: false });
  void parquet.write({
    columnData: data.map((values, index) => ({
      name: schema[index + 1]!.name,
      data: values,
      offsetIndex: false,
    })),
    rowGroupSize: Math.max(rows.length, 1),
  });
  return { bytes: writer.getBytes().slice(MAGIC.length), rowGroups: parquet.row_groups };
}

export function parquetHeader(): Uint8Array {
  return MAGIC;
}

/** Everything behind the row groups. */
export function parquetFooter(shape: ParquetShape, rowGroups: readonly RowGroup[]): Uint8Array {
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({ writer, schema: schemaOf(shape, asDeclared), createdBy: 'foretell' });
  parquet.row_groups = [...rowGroups];
  parquet.num_rows = rowGroups.reduce((rows, { num_rows }) => rows + num_rows, 0n);
  void parquet.finish();
  return writer.getBytes().slice(MAGIC.length);
}

function schemaOf({ copied, names, added }: ParquetShape, as: typeof asStored): SchemaElement[] {
  const columns = copied
    ? columnsOf(copied).map(as)
    : names.map((name): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...ADDED_TYPES.string }));
  const more = added.map(({ name, type }): SchemaElement => ({
    name,
    repetition_type: 'OPTIONAL',
    ...ADDED_TYPES[type],
  }));
  return [{ name: 'root', num_children: columns.length + more.length }, ...columns, ...more];
}

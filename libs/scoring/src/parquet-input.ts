import type { ColumnChunk as DeclaredChunk, FileMetaData, RowGroup, SchemaElement } from 'hyparquet';
import { sizeOf } from './byte-source.js';
import { checkNames } from './column-names.js';
import { readFooter } from './formats/parquet-footer.js';
import type { ColumnChunk } from './formats/parquet-pages.js';
import { columnsIn } from './formats/parquet-schema.js';
import { categoricalColumns } from './formats/parquet-metadata.js';
import type { ParquetContents, RowGroupPlace } from './formats/parquet-table.js';
import type { Chunk, Input } from './input.js';
import { quoted } from './messages.js';
import { InputError } from './order.js';
import type { Position } from './record-chunks.js';

/** A thread holds this many rows at once, … */
const MOST_ROWS = 32_768;
/** … fewer if a row is large, according to the file, … */
const CHUNK_BYTES = 64 * 1024 ** 2;
/** … and enough that no page is read very often, whatever it says. */
const MOST_CHUNKS_OF_A_GROUP = 512;

/** A Parquet file of flat columns; chunks lie within its row groups. */
export class ParquetInput implements Input {
  readonly columns: readonly string[];
  readonly isEmpty = false;
  readonly newline = '\n';

  private constructor(
    readonly parquet: ParquetContents,
    private readonly groups: readonly PlannedGroup[],
    private readonly rows: number,
  ) {
    this.columns = parquet.columns.map(({ name }) => name);
    checkNames(this.columns);
  }

  /** @throws InputError */
  static async open(path: string | undefined): Promise<ParquetInput> {
    if (path === undefined) {
      throw new InputError(
        'Parquet cannot be read from standard input, because its list of contents is at its end. Name the file.',
      );
    }
    const size = await sizeOf(path);
    const metadata = await readFooter(path, size);
    const columns = columnsIn(metadata.schema, path);
    const groups = planned(metadata, columns, size);
    const rows = groups.reduce((sum, { place }) => sum + place.rows, 0);
    const keyValues = metadata.key_value_metadata ?? [];
    const categorical = categoricalColumns(keyValues, columns);
    return new ParquetInput({ columns, categorical, keyValues }, groups, rows);
  }

  async *chunks(_chunkBytes: number, from: Position = { offset: 0, line: 1 }): AsyncGenerator<Chunk> {
    for (const { place, rowsAtOnce } of this.groups) {
      const groupEnd = place.start + place.rows;
      for (let start = Math.max(place.start, from.offset); start < groupEnd; start += rowsAtOnce) {
        const end = Math.min(start + rowsAtOnce, groupEnd);
        yield { start, end, group: place, next: { offset: end, line: end + 1 }, share: end / this.rows };
      }
    }
  }
}

type PlannedGroup = ReturnType<typeof planned>[number];

/** @throws InputError if what it says is impossible */
function planned({ row_groups }: FileMetaData, columns: readonly SchemaElement[], size: number) {
  let start = 0;
  let bytes = 0;
  return row_groups.map((group, index) => {
    const rows = Number(group.num_rows);
    const damaged = (what: string) =>
      new InputError(`The Parquet file is damaged: row group ${index + 1} ${what}.`);
    if (!Number.isSafeInteger(start + rows) || rows < 0) throw damaged(`has ${group.num_rows} rows`);
    if (group.columns.length !== columns.length) {
      throw damaged(`has ${group.columns.length} columns, and the file ${columns.length}`);
    }
    const place: RowGroupPlace = {
      number: index + 1,
      start,
      rows,
      columns: group.columns.map((chunk, at) => placeOf(chunk, columns[at]!, size)),
    };
    // Columns that share one place would be more to read than there is.
    bytes += place.columns.reduce((sum, column) => sum + column.bytes, 0);
    if (bytes > size) throw damaged(`has columns that lie in the same place`);
    start += rows;
    return { place, rowsAtOnce: rowsAtOnce(group, rows) };
  });
}

/** @throws InputError naming the column */
function placeOf(
  { meta_data: meta, file_path, crypto_metadata }: DeclaredChunk & { crypto_metadata?: unknown },
  { name, type }: SchemaElement,
  size: number,
): ColumnChunk {
  const refuse = (what: string) =>
    new InputError(`The Parquet file cannot be read: column ${quoted(name)}: ${what}.`);
  if (crypto_metadata !== undefined || !meta) throw refuse('it is encrypted');
  if (file_path !== undefined) throw refuse('it lies in another file');
  if (type === undefined || meta.type !== type) throw refuse('its type is not known');
  // A dictionary comes before its column; some writers put 0 if there is none.
  const dictionary = Number(meta.dictionary_page_offset ?? 0);
  const data = Number(meta.data_page_offset);
  const offset = dictionary > 0 ? Math.min(dictionary, data) : data;
  const bytes = Number(meta.total_compressed_size);
  if (!(offset >= 0 && bytes >= 0 && offset + bytes <= size))
    throw refuse('it lies beyond the end of the file');
  return { offset, bytes, codec: meta.codec };
}

function rowsAtOnce(group: RowGroup, rows: number): number {
  const bytes = group.columns.reduce(
    (sum, { meta_data: meta }) => sum + Number(meta!.total_uncompressed_size),
    0,
  );
  const fitting = bytes > 0 ? Math.floor((CHUNK_BYTES / bytes) * rows) : MOST_ROWS;
  return Math.max(Math.min(fitting, MOST_ROWS), Math.ceil(rows / MOST_CHUNKS_OF_A_GROUP), 1);
}

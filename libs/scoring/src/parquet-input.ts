import { asyncBufferFromFile, parquetMetadataAsync, parquetSchema, type FileMetaData } from 'hyparquet';
import { sizeOf } from './byte-source.js';
import { checkNames } from './column-names.js';
import { columnsOf } from './formats/parquet-table.js';
import type { Chunk, Input } from './input.js';
import { InputError } from './order.js';
import type { Position } from './record-chunks.js';

/** A thread holds so many rows at once, a column each. */
const ROWS_PER_CHUNK = 32_768;

/** A Parquet file of flat columns; chunks lie within its row groups. */
export class ParquetInput implements Input {
  readonly columns: readonly string[];
  readonly isEmpty = false;
  readonly newline = '\n';

  private constructor(readonly parquet: FileMetaData) {
    const names = columnsOf(parquet).map(({ name }) => name);
    checkNames(names);
    this.columns = names;
  }

  /** @throws InputError */
  static async open(path: string | undefined): Promise<ParquetInput> {
    if (path === undefined) {
      throw new InputError(
        'Parquet cannot be read from standard input: its list of contents is at its end. Name the file.',
      );
    }
    await sizeOf(path);
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path)).catch((cause: Error) => {
      throw new InputError(`${path} is not a Parquet file, or is damaged: ${cause.message}.`, { cause });
    });
    const nested = parquetSchema(metadata)
      .children.filter(
        ({ children, element }) => children.length > 0 || element.repetition_type === 'REPEATED',
      )
      .map(({ element }) => element);
    if (nested.length > 0) {
      const names = nested.map(({ name }) => JSON.stringify(name)).join(', ');
      throw new InputError(`${path} has nested columns: ${names}. A column has to hold one value a row.`);
    }
    return new ParquetInput(metadata);
  }

  async *chunks(_chunkBytes: number, from: Position = { offset: 0, line: 1 }): AsyncGenerator<Chunk> {
    const total = Number(this.parquet.num_rows);
    let groupStart = 0;
    for (const { num_rows } of this.parquet.row_groups) {
      const groupEnd = groupStart + Number(num_rows);
      for (let start = Math.max(groupStart, from.offset); start < groupEnd; start += ROWS_PER_CHUNK) {
        const end = Math.min(start + ROWS_PER_CHUNK, groupEnd);
        yield { start, end, next: { offset: end, line: end + 1 }, share: end / total };
      }
      groupStart = groupEnd;
    }
  }
}

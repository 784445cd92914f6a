import type { FileFormat } from './file-format.js';
import type { ParquetRows } from './formats/parquet-table.js';
import type { ParquetContents } from './parquet-input.js';
import type { Position } from './record-chunks.js';
import { TextInput } from './text-input.js';

/** A part of the input that a thread scores by itself: whole records, or rows of a Parquet file. */
export type Chunk = ({ bytes: Uint8Array; firstLine: number } | ParquetRows) & {
  /** Where the next one begins. */
  next: Position;
  /** The share of the input that is done with this chunk; NaN if its size is not known. */
  share: number;
};

/** A file that is read in chunks; a resumed one from where a checkpoint says. */
export interface Input {
  /** The names in the header or the schema; of JSON Lines, all that the first lines have, where they are needed. None where it is empty. */
  readonly columns: readonly string[];
  /** Whether nothing is in it, not even a header. */
  readonly isEmpty: boolean;
  /** How its lines end. */
  readonly newline: '\n' | '\r\n';
  readonly parquet?: ParquetContents;
  /** `chunkBytes`: of a text; Parquet is cut into rows. */
  chunks(chunkBytes: number, from?: Position): AsyncIterable<Chunk>;
}

export interface OpenOptions {
  /** JSON Lines have none, but where they become cells. */
  areColumnsNeeded: boolean;
  /** Ends the reading, now and later, with an error. */
  signal?: AbortSignal;
}

/** @throws InputError */
export async function openInput(
  path: string | undefined,
  format: FileFormat,
  options: OpenOptions,
): Promise<Input> {
  if (format !== 'parquet') return TextInput.open(path, format, options);
  // The library takes 50 ms to load, in each thread: it is loaded where there is Parquet.
  const { ParquetInput } = await import('./parquet-input.js');
  return ParquetInput.open(path);
}

import type { ParquetContents, ParquetRows } from './formats/parquet-table.js';
import type { Position } from './record-chunks.js';

/** A part of the input that a thread scores by itself: whole records, or rows of a Parquet file. */
export type ThreadChunk = { bytes: Uint8Array; firstLine: number } | ParquetRows;
export type Chunk = ThreadChunk & {
  /** Where the next one begins. */
  next: Position;
  /** The share of the input that is done with this chunk; NaN if its size is not known. */
  share: number;
};

/** A file that is read in chunks; a resumed one from where a checkpoint says. */
export interface Input {
  /** The names in the header or the schema; of JSON Lines, all that the first lines have, where they are needed. None if it is empty. */
  readonly columns: readonly string[];
  /** Whether nothing is in it, not even a header. */
  readonly isEmpty: boolean;
  /** How its lines end. */
  readonly newline: '\n' | '\r\n';
  readonly parquet?: ParquetContents;
  /** `chunkBytes`: of a text; Parquet is cut into rows. */
  chunks(chunkBytes: number, from?: Position): AsyncIterable<Chunk>;
}

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

/** A file that is read in chunks, or from a checkpoint if a run is resumed. */
export interface Input {
  /** The names in the header or the schema; in JSON Lines, all in the first lines, if needed. None if it is empty. */
  readonly columns: readonly string[];
  /** Whether it is empty, without even a header. */
  readonly isEmpty: boolean;
  /** How its lines end. */
  readonly newline: '\n' | '\r\n';
  readonly parquet?: ParquetContents;
  /** `chunkBytes`: for a text; Parquet is cut into rows. */
  chunks(chunkBytes: number, from?: Position): AsyncIterable<Chunk>;
}

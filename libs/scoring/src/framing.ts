import { gzipSync } from 'node:zlib';
import { DELIMITERS } from './file-format.js';
import { writeFields } from './formats/writers.js';
import type { OutputOrder } from './order.js';
import type { Framing } from './output-file.js';
import type { ParquetContents } from './formats/parquet-table.js';
import type { AddedColumn } from './table.js';

const NOTHING = new Uint8Array();

/** What the output takes over from the input. */
interface Shape {
  columns: readonly string[];
  newline: string;
  parquet?: ParquetContents;
}

/** What comes before and after the rows of a file of this format. */
export async function frame(
  { format, gzip }: OutputOrder,
  { columns, newline, parquet }: Shape,
  added: readonly AddedColumn[],
): Promise<Framing> {
  switch (format) {
    case 'parquet': {
      const { parquetFooter, parquetHeader } = await import('./formats/parquet-writer.js');
      const shape = { copied: parquet, names: columns, added };
      return { header: parquetHeader(), footer: (rowGroups) => parquetFooter(shape, rowGroups) };
    }
    case 'jsonl':
      // A file of no bytes at all is not gzip.
      return { header: gzip ? gzipSync(NOTHING) : NOTHING, footer: () => NOTHING };
    default: {
      const names = [...columns, ...added.map(({ name }) => name)];
      const header = Buffer.from(writeFields(names, DELIMITERS[format]) + newline);
      return { header: gzip ? gzipSync(header) : header, footer: () => NOTHING };
    }
  }
}

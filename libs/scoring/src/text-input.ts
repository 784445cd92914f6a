import { ByteSource } from './byte-source.js';
import { DELIMITERS, type FileFormat } from './file-format.js';
import { parseHeader } from './formats/delimited-table.js';
import { membersIn } from './formats/jsonl-table.js';
import type { Chunk, Input } from './input.js';
import { InputError } from './order.js';
import { countNewlines, firstRecord, splitRecords, type Position } from './record-chunks.js';

/** Enough to see what members JSON Lines have. */
const BEGINNING_BYTES = 128 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 ** 2;

/** CSV, TSV or JSON Lines, as they are or compressed with gzip; UTF-8, with a byte order mark or without. */
export class TextInput implements Input {
  readonly columns: readonly string[];
  readonly isEmpty: boolean;
  readonly newline: '\n' | '\r\n';
  private readonly start: Position;
  private readonly delimiter: string | undefined;

  private constructor(
    private readonly source: ByteSource,
    /** What was read to see the header; the rest comes from the source. */
    private readonly begun: Buffer,
    format: Exclude<FileFormat, 'parquet'>,
    mark: number,
  ) {
    this.delimiter = format === 'jsonl' ? undefined : DELIMITERS[format];
    const text = begun.subarray(mark);
    const header = this.delimiter ? firstRecord(text, this.delimiter) : Buffer.alloc(0);
    this.isEmpty = text.length === 0;
    this.newline = (this.delimiter ? header : firstRecord(text)).at(-2) === 0x0d ? '\r\n' : '\n';
    this.columns = this.delimiter ? parseHeader(header, this.delimiter) : membersIn(wholeLines(text));
    this.start = { offset: mark + header.length, line: 1 + countNewlines(header) };
  }

  /** @throws InputError */
  static async open(path: string | undefined, format: Exclude<FileFormat, 'parquet'>): Promise<TextInput> {
    const source = await ByteSource.open(path);
    let begun = Buffer.alloc(0);
    let hasHeader = false;
    for (;;) {
      const piece = await source.next();
      if (!piece) break;
      begun = Buffer.concat([begun, piece]);
      hasHeader = firstRecord(begun, format === 'jsonl' ? undefined : DELIMITERS[format]).at(-1) === 0x0a;
      if (begun.length >= (hasHeader ? BEGINNING_BYTES : MAX_HEADER_BYTES)) break;
    }
    if (['fffe', 'feff'].includes(begun.subarray(0, 2).toString('hex'))) {
      throw new InputError(
        'The file is UTF-16. Convert it to UTF-8 first, for example with iconv -f UTF-16 -t UTF-8.',
      );
    }
    const mark = begun.subarray(0, 3).toString('hex') === 'efbbbf' ? 3 : 0;
    const input = new TextInput(source, begun, format, mark);
    if (!hasHeader && begun.length >= MAX_HEADER_BYTES) throw new InputError('Line 1 is longer than 16 MiB.');
    return input;
  }

  async *chunks(chunkBytes: number, from: Position = this.start): AsyncGenerator<Chunk> {
    const pieces = this.source.from(from.offset, this.begun);
    for await (const { bytes, firstLine, end } of splitRecords(pieces, {
      delimiter: this.delimiter,
      from,
      chunkBytes,
    })) {
      yield { bytes, firstLine, next: end, share: this.source.shareAt(end.offset) };
    }
  }
}

/** Up to the last line end; all of it where there is none. */
function wholeLines(text: Buffer): Buffer {
  const end = text.lastIndexOf(0x0a) + 1;
  return end > 0 ? text.subarray(0, end) : text;
}

import { ByteSource } from './byte-source.js';
import { DELIMITERS, type FileFormat } from './file-format.js';
import { parseHeader } from './formats/header.js';
import { membersIn } from './formats/jsonl-table.js';
import type { Chunk, Input } from './input.js';
import { InputError } from './order.js';
import {
  checkQuotes,
  countNewlines,
  firstRecord,
  MAX_RECORD_BYTES,
  splitRecords,
  tooLong,
  type Position,
} from './record-chunks.js';

/** Enough to see what members JSON Lines have. */
const BEGINNING_BYTES = 128 * 1024;

/** What was read to see the header. */
type Beginning = Awaited<ReturnType<typeof readBeginning>>;

interface TextOptions {
  /** JSON Lines need none, unless they become cells. */
  areColumnsNeeded: boolean;
  /** Ends the reading, now and later, with an error. */
  signal?: AbortSignal;
}

/** CSV, TSV or JSON Lines, plain or compressed with gzip; UTF-8, with a byte order mark or without. */
export class TextInput implements Input {
  readonly isEmpty: boolean;
  readonly newline: '\n' | '\r\n';
  private readonly start: Position;

  private constructor(
    private readonly source: ByteSource,
    private readonly beginning: Beginning,
    private readonly delimiter: string | undefined,
    readonly columns: readonly string[],
  ) {
    const { first, mark } = beginning;
    this.isEmpty = first.length === 0;
    this.newline = first.at(-2) === 0x0d ? '\r\n' : '\n';
    this.start = delimiter
      ? { offset: mark + first.length, line: 1 + countNewlines(first) }
      : { offset: mark, line: 1 };
  }

  /** @throws InputError */
  static async open(
    path: string | undefined,
    format: Exclude<FileFormat, 'parquet'>,
    { areColumnsNeeded, signal }: TextOptions,
  ): Promise<TextInput> {
    const delimiter = format === 'jsonl' ? undefined : DELIMITERS[format];
    const source = await ByteSource.open(path, signal);
    const beginning = await readBeginning(source, delimiter);
    if (delimiter)
      return new TextInput(source, beginning, delimiter, await parseHeader(beginning.first, delimiter));
    const text = beginning.bytes.subarray(beginning.mark);
    return new TextInput(source, beginning, delimiter, areColumnsNeeded ? membersIn(wholeLines(text)) : []);
  }

  async *chunks(chunkBytes: number, from: Position = this.start): AsyncGenerator<Chunk> {
    const pieces = this.source.from(from.offset, this.beginning.bytes);
    for await (const { bytes, firstLine, end } of splitRecords(pieces, {
      delimiter: this.delimiter,
      from,
      chunkBytes,
    })) {
      yield { bytes, firstLine, next: end, share: this.source.shareAt(end.offset) };
    }
  }
}

/**
 * @returns the first bytes of the file, whose rest comes from the source; the size of the byte order mark; and the
 *   first record, or all of it if there is no line end
 * @throws InputError if a first record is longer than a record may be, and for UTF-16
 */
async function readBeginning(source: ByteSource, delimiter: string | undefined) {
  const pieces: Buffer[] = [];
  // Looked at each time it has doubled: a long header is not searched again with each piece of it.
  for (let wanted = BEGINNING_BYTES; ; wanted *= 2) {
    const isWhole = await collect(source, pieces, wanted);
    const bytes = Buffer.concat(pieces);
    if (['fffe', 'feff'].includes(bytes.subarray(0, 2).toString('hex'))) {
      throw new InputError(
        'The file is UTF-16. Convert it to UTF-8 first, for example with iconv -f UTF-16 -t UTF-8.',
      );
    }
    const mark = bytes.subarray(0, 3).toString('hex') === 'efbbbf' ? 3 : 0;
    const text = bytes.subarray(mark);
    const first = firstRecord(text, delimiter);
    if (isWhole && !first) checkQuotes(text, 1, delimiter);
    if (isWhole || first) return { bytes, mark, first: first ?? text };
    if (wanted >= MAX_RECORD_BYTES) throw tooLong(text, 1, delimiter);
  }
}

/** Reads until there are this many bytes. @returns whether that is all of it */
async function collect(source: ByteSource, pieces: Buffer[], wanted: number): Promise<boolean> {
  let bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  while (bytes < wanted) {
    const piece = await source.next();
    if (!piece) return true;
    pieces.push(piece);
    bytes += piece.length;
  }
  return false;
}

/** Up to the last line end; all of it if there is none. */
function wholeLines(text: Buffer): Buffer {
  const end = text.lastIndexOf(0x0a) + 1;
  return end > 0 ? text.subarray(0, end) : text;
}

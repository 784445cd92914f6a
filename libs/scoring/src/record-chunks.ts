import { InputError } from './order.js';

const NEWLINE = 0x0a;
const QUOTE = 0x22;

/** A record longer than this is a forgotten quote, or not text. */
export const MAX_RECORD_BYTES = 16 * 1024 ** 2;

/** Whole records of a text, a few at a time. */
export interface RecordChunk {
  bytes: Uint8Array;
  /** The first one's line, from 1. */
  firstLine: number;
  /** Where the next chunk begins. */
  end: Position;
}

export interface Position {
  /** In bytes of the text, or in rows of a Parquet file. */
  offset: number;
  line: number;
}

interface Records {
  /** The separator of fields that may be quoted and then hold line ends (RFC 4180); none if every line is a record. */
  delimiter?: string;
  from: Position;
  chunkBytes: number;
}

/** Cuts a stream of bytes into chunks at the ends of records. @throws InputError for a quote that never closes */
export async function* splitRecords(
  pieces: AsyncIterable<Uint8Array>,
  { delimiter, from, chunkBytes }: Records,
): AsyncGenerator<RecordChunk> {
  const ends = new RecordEnds(delimiter);
  let { offset, line } = from;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let wantedBytes = chunkBytes;
  const cut = (buffer: Buffer, size: number): RecordChunk => {
    const bytes = new Uint8Array(buffer.subarray(0, size));
    const firstLine = line;
    offset += size;
    line += countNewlines(bytes);
    return { bytes, firstLine, end: { offset, line } };
  };
  for await (const piece of pieces) {
    waiting.push(piece);
    waitingBytes += piece.length;
    if (waitingBytes < wantedBytes) continue;
    const buffer = Buffer.concat(waiting, waitingBytes);
    const size = ends.find(buffer);
    if (size > 0) yield cut(buffer, size);
    else if (buffer.length > MAX_RECORD_BYTES) throw tooLong(buffer, line, delimiter);
    // A long record is not copied again with each piece of it.
    wantedBytes = size > 0 ? chunkBytes : Math.min(2 * buffer.length, MAX_RECORD_BYTES + 1);
    waiting = [buffer.subarray(size)];
    waitingBytes = buffer.length - size;
  }
  const rest = Buffer.concat(waiting, waitingBytes);
  checkQuotes(rest, line, delimiter, ends);
  if (rest.length > 0) yield cut(rest, rest.length);
}

/** @returns the bytes of the first record, its line end included; undefined if it does not end */
export function firstRecord(buffer: Buffer, delimiter?: string): Buffer | undefined {
  const ends = new RecordEnds(delimiter);
  for (let from = 0; ;) {
    const newline = buffer.indexOf(NEWLINE, from);
    if (newline < 0) return undefined;
    const record = buffer.subarray(0, newline + 1);
    if (ends.find(record) > 0) return record;
    from = newline + 1;
  }
}

/**
 * Finds where the last whole record of a growing buffer ends: at a newline outside quotes. A quote opens only at the
 * beginning of a field, and a doubled one does not close it, as in the parser that reads the records.
 */
class RecordEnds {
  /** Where the quoted field begins that the scan is in; -1 outside. */
  openedAt = -1;
  private scanned = 0;
  private end = 0;
  private readonly delimiter: number | undefined;

  constructor(delimiter?: string) {
    this.delimiter = delimiter?.charCodeAt(0);
  }

  /** @returns the size of what is complete; afterwards the buffer is expected to begin after it */
  find(buffer: Buffer): number {
    if (this.delimiter === undefined) return buffer.lastIndexOf(NEWLINE) + 1;
    while (this.scanned < buffer.length) {
      if (!(this.openedAt < 0 ? this.scanUnquoted(buffer) : this.scanQuoted(buffer))) break;
    }
    const size = this.end;
    this.scanned -= size;
    this.openedAt = this.openedAt < 0 ? -1 : this.openedAt - size;
    this.end = 0;
    return size;
  }

  /** At the end of the input: a quote that is its last byte closes the field. */
  isQuoteOpen(buffer: Buffer): boolean {
    return this.openedAt >= 0 && !(this.scanned === buffer.length - 1 && buffer[this.scanned] === QUOTE);
  }

  private scanUnquoted(buffer: Buffer): boolean {
    const quote = buffer.indexOf(QUOTE, this.scanned);
    const stop = quote < 0 ? buffer.length : quote;
    const newline = stop > this.scanned ? buffer.lastIndexOf(NEWLINE, stop - 1) : -1;
    if (newline >= this.scanned) this.end = newline + 1;
    this.scanned = Math.min(stop + 1, buffer.length);
    if (quote < 0) return false;
    const before = buffer[quote - 1];
    if (quote === 0 || before === this.delimiter || before === NEWLINE) this.openedAt = quote;
    return true;
  }

  private scanQuoted(buffer: Buffer): boolean {
    const quote = buffer.indexOf(QUOTE, this.scanned);
    // What comes after it decides.
    this.scanned = quote < 0 ? buffer.length : quote;
    if (quote < 0 || quote + 1 === buffer.length) return false;
    const isDoubled = buffer[quote + 1] === QUOTE;
    if (!isDoubled) this.openedAt = -1;
    this.scanned = quote + (isDoubled ? 2 : 1);
    return true;
  }
}

/** Checks everything that is left, which begins with a record. @throws InputError for a quote that never closes */
export function checkQuotes(
  buffer: Buffer,
  line: number,
  delimiter?: string,
  ends = new RecordEnds(delimiter),
): void {
  const whole = ends.find(buffer);
  if (ends.isQuoteOpen(buffer.subarray(whole))) throw neverCloses(buffer, whole + ends.openedAt, line);
}

/** The error for text that begins with a record and does not end it. */
export function tooLong(buffer: Buffer, line: number, delimiter?: string): InputError {
  const ends = new RecordEnds(delimiter);
  ends.find(buffer);
  if (ends.openedAt >= 0) return neverCloses(buffer, ends.openedAt, line);
  return new InputError(`Line ${line} is longer than ${MAX_RECORD_BYTES / 1024 ** 2} MiB.`);
}

function neverCloses(buffer: Buffer, openedAt: number, line: number): InputError {
  const opened = line + countNewlines(buffer.subarray(0, openedAt));
  return new InputError(`Line ${opened}: a quote opens a field here and never closes.`);
}

export function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

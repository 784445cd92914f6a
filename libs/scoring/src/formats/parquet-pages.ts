import { crc32 } from 'node:zlib';
import { type DecodedArray, type PageHeader, type ParquetType, type SchemaElement } from 'hyparquet';
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert } from 'hyparquet/src/convert.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import type { ColumnDecoder } from 'hyparquet/src/types.js';
import { unpack } from './parquet-codecs.js';
import {
  countOf,
  isNumberType,
  joined,
  MOST_FILLING,
  numbersIn,
  part,
  placesIn,
  presence,
  spread,
  type NumberType,
  type Stored,
} from './parquet-stored.js';

/** One column of one row group, as it is in the file. */
export interface ColumnChunk {
  offset: number;
  bytes: number;
  codec: string;
}

/**
 * How large a page may be, unpacked, in bytes and in values: it is read as a whole. Others write pages of one MiB, and
 * some write one page per row group.
 */
const MAX_PAGE_BYTES = 256 * 1024 ** 2;
const MAX_PAGE_VALUES = 2 ** 24;
/** Texts are an object each, which takes a hundred bytes and more, however short they are. */
const MAX_PAGE_TEXTS = 2 ** 22;
/** The largest header of a page: in some files it holds statistics of large objects that nobody needs. */
const MAX_HEADER_BYTES = 1024 ** 2;

/** Decoded values are kept for the next rows up to this size, in each thread; what is larger is decoded again. */
const MAX_KEPT_BYTES = 64 * 1024 ** 2;
/** What a decoded text takes beside its bytes. */
const BYTES_OF_AN_OBJECT = 100;
/** Nearly every header of a page is shorter. */
const USUAL_HEADER_BYTES = 1024;

/** How much the readers of one file keep together. */
export class Kept {
  bytes = 0;
}

/**
 * A column of a row group, read from its beginning to its end: each page once, if the rows that are asked for go up and
 * what is decoded is not too large to be kept.
 *
 * hyparquet decodes the pages that are no plain numbers. What it would not notice is checked first: a wrong checksum,
 * and data that would become much larger than it is. Only the pages that have some of the rows are unpacked.
 */
export class ColumnReader {
  /** Where the next page begins, its number and its first row. */
  private at = 0;
  private pageNumber = 1;
  private row = 0;
  private dictionary: DecodedArray | undefined;
  private dictionaryBytes = 0;
  /** The page before, and its first row. */
  private last?: { start: number; stored: Stored };
  private keptBytes = 0;

  /** `read`: bytes of the column chunk, from its beginning; `rows`: in the row group. */
  constructor(
    private readonly read: (offset: number, length: number) => Uint8Array,
    private readonly chunk: Pick<ColumnChunk, 'bytes' | 'codec'>,
    private readonly element: SchemaElement,
    private readonly rows: number,
    private readonly kept = new Kept(),
  ) {}

  /**
   * Rows of the row group, counted within it.
   * @throws Error saying what is wrong, for a caller that knows which column it is
   */
  values(start: number, end: number): Stored {
    if (start < (this.last?.start ?? this.row)) this.forget();
    const parts: Stored[] = [];
    const take = ({ start: first, stored }: NonNullable<typeof this.last>) => {
      const [from, to] = [Math.max(start - first, 0), Math.min(end - first, stored.rows)];
      if (from < to) parts.push(part(stored, from, to));
    };
    if (this.last) take(this.last);
    while (this.row < end) {
      if (this.at >= this.chunk.bytes) {
        throw new Error(`it has ${this.row} rows, and its row group ${this.rows}`);
      }
      try {
        const page = this.next(start);
        if (page) take(page);
      } catch (cause) {
        throw new Error(`page ${this.pageNumber}: ${(cause as Error).message}`, { cause });
      }
      this.pageNumber++;
    }
    this.keep(end);
    return joined(parts, this.element);
  }

  /** Forgets what is decoded, and begins again with the first page. */
  forget(): void {
    this.kept.bytes -= this.keptBytes;
    [this.keptBytes, this.at, this.pageNumber, this.row, this.dictionaryBytes] = [0, 0, 1, 0, 0];
    this.dictionary = this.last = undefined;
  }

  /** Goes past one page. @returns its values, if it has any from this row on */
  private next(from: number): NonNullable<typeof this.last> | undefined {
    const { codec, bytes } = this.chunk;
    const { header, start } = this.header();
    const packed = header.compressed_page_size;
    if (start + packed > bytes) throw new Error('it is cut off');
    this.at = start + packed;
    const values = valuesIn(header);
    const body = () => this.read(start, packed);
    if (header.type === 'DICTIONARY_PAGE') {
      this.dictionary = convert(...decoded(header, body(), codec, this.element));
      this.dictionaryBytes = bytesOf(this.dictionary);
      return undefined;
    }
    if (header.type !== 'DATA_PAGE' && header.type !== 'DATA_PAGE_V2') return undefined;
    if (values > this.rows - this.row) throw new Error('it has more rows than there are');
    const first = this.row;
    this.row += values;
    if (this.row <= from) return undefined;
    this.last = { start: first, stored: storedIn(header, body(), codec, this.element, this.dictionary) };
    return this.last;
  }

  private header(): { header: PageHeader; start: number } {
    const left = this.chunk.bytes - this.at;
    for (let length = Math.min(USUAL_HEADER_BYTES, left); ; length = Math.min(MAX_HEADER_BYTES, left)) {
      const bytes = this.read(this.at, length);
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
      try {
        const header = parquetHeader(reader);
        checkHeader(header);
        return { header, start: this.at + reader.offset };
      } catch (error) {
        if (length >= Math.min(MAX_HEADER_BYTES, left)) throw error;
      }
    }
  }

  /** Keeps what later rows need, if there is room for it. */
  private keep(end: number): void {
    if (this.last && this.last.start + this.last.stored.rows <= end) this.last = undefined;
    const bytes = this.dictionaryBytes + bytesOf(this.last?.stored.values) + (this.last?.stored.rows ?? 0);
    this.kept.bytes += bytes - this.keptBytes;
    this.keptBytes = bytes;
    if (this.kept.bytes > MAX_KEPT_BYTES) this.forget();
  }
}

/** About how much memory it takes. */
function bytesOf(values: ArrayLike<unknown> = []): number {
  if (ArrayBuffer.isView(values)) return values.byteLength;
  let bytes = 0;
  for (let row = 0; row < values.length; row++) {
    bytes +=
      8 + (values[row] instanceof Uint8Array ? BYTES_OF_AN_OBJECT + (values[row] as Uint8Array).length : 0);
  }
  return bytes;
}

/** Whether its values are positions in a dictionary. */
function isOfWords({ data_page_header: v1, data_page_header_v2: v2 }: PageHeader): boolean {
  return (v1 ?? v2)?.encoding.endsWith('DICTIONARY') ?? false;
}

function valuesIn({
  data_page_header: v1,
  data_page_header_v2: v2,
  dictionary_page_header: words,
}: PageHeader): number {
  return (v1 ?? v2 ?? words)?.num_values ?? 0;
}

/** @throws Error if what it says about itself is impossible */
function checkHeader(header: PageHeader): void {
  const { compressed_page_size: packed, uncompressed_page_size: size, data_page_header_v2: v2 } = header;
  const levels = [v2?.repetition_levels_byte_length ?? 0, v2?.definition_levels_byte_length ?? 0];
  // As numbers: what is missing, or is something else, is not one of these.
  const counts = [packed, size, valuesIn(header), ...levels, packed - levels[0]! - levels[1]!];
  if (!counts.every((count) => Number.isInteger(count) && count >= 0) || size < levels[0]! + levels[1]!) {
    throw new Error('its header is damaged');
  }
}

/** The values of a data page: numbers in an array of their type, texts that are in the dictionary as places in it. */
function storedIn(
  header: PageHeader,
  body: Uint8Array,
  codec: string,
  element: SchemaElement,
  dictionary: DecodedArray | undefined,
): Stored {
  const rows = valuesIn(header);
  const areWords = isOfWords(header);
  const encoding = (header.data_page_header ?? header.data_page_header_v2)!.encoding;
  if ((areWords && dictionary) || (encoding === 'PLAIN' && isNumberType(element.type))) {
    checkPage(header, body, rows, element);
    const { levels, values } = sections(header, body, unpacked(header, body, codec, element), element);
    const present = levels && presence(levels, rows);
    const count = present ? countOf(present) : rows;
    const dense = areWords
      ? placesIn(values, count, rows, dictionary!.length)
      : numbersIn(values, count, rows, element.type as NumberType);
    if (count === rows) return { rows, values: dense, words: areWords ? dictionary : undefined };
    spread(dense, present!, count);
    return { rows, values: dense, present, words: areWords ? dictionary : undefined };
  }
  const [data] = decoded(header, body, codec, element, dictionary);
  // If there is nothing but nulls, some write none.
  if (areWords && Array.from(data).some((word) => word !== null && word !== undefined)) {
    throw new Error('the dictionary of its values is not there');
  }
  return { rows, values: data };
}

/** The levels of a page, if it has any, and its values, both unpacked. */
function sections(
  { data_page_header_v2: v2 }: PageHeader,
  body: Uint8Array,
  page: Uint8Array,
  { repetition_type }: SchemaElement,
): { levels?: Uint8Array; values: Uint8Array } {
  if (repetition_type === 'REQUIRED') return { values: page };
  if (v2) {
    const start = v2.repetition_levels_byte_length;
    return { levels: body.subarray(start, start + v2.definition_levels_byte_length), values: page };
  }
  const end = 4 + lengthAt(page, 0);
  return { levels: page.subarray(4, end), values: page.subarray(end) };
}

/** A page's values, and what they are decoded with. @throws Error if it is damaged, or too large to be read */
function decoded(
  header: PageHeader,
  body: Uint8Array,
  codec: string,
  element: SchemaElement,
  dictionary?: DecodedArray,
): [DecodedArray, ColumnDecoder] {
  const values = valuesIn(header);
  checkPage(header, body, values, element);
  const decoder = decoderOf(element, unpacked(header, body, codec, element));
  const reader = { view: new DataView(body.buffer, body.byteOffset, body.byteLength), offset: 0 };
  // 0: so that it does not mistake the page for one to skip.
  const { data = [] } = readPage(reader, header, decoder, dictionary, undefined, 0);
  if (data.length !== values) throw new Error(`it has ${data.length} values and says ${values}`);
  return [data, decoder];
}

function checkPage(header: PageHeader, body: Uint8Array, values: number, { type }: SchemaElement): void {
  const { crc, uncompressed_page_size: bytes } = header;
  // The checksum of the page as it is stored, in both versions.
  if (crc !== undefined && crc32(body) !== crc >>> 0) {
    throw new Error('its checksum is wrong: the file was damaged after it was written');
  }
  const areTexts = type!.endsWith('BYTE_ARRAY') && !isOfWords(header);
  const most = areTexts ? MAX_PAGE_TEXTS : MAX_PAGE_VALUES;
  if (bytes > MAX_PAGE_BYTES || values > most) {
    throw new Error(
      `it has ${bytes} bytes and ${values} values; at most ${MAX_PAGE_BYTES} and ${most} can be read. ` +
        `Write the file with smaller row groups`,
    );
  }
}

/** The packed part of the page, as it is decoded. @throws Error if that would become much larger than it is */
function unpacked(
  header: PageHeader,
  page: Uint8Array,
  codec: string,
  { type, repetition_type }: SchemaElement,
): Uint8Array {
  const { data_page_header: v1, data_page_header_v2: v2, uncompressed_page_size: size } = header;
  if (v2) {
    const levels = v2.repetition_levels_byte_length + v2.definition_levels_byte_length;
    const isPacked = v2.is_compressed !== false;
    const values = isPacked ? unpack(codec, page.subarray(levels), size - levels) : page.subarray(levels);
    checkRuns(page.subarray(v2.repetition_levels_byte_length, levels), 1, v2.num_values);
    checkValues(values, v2.encoding, type, v2.num_values - v2.num_nulls);
    return values;
  }
  const body = unpack(codec, page, size);
  if (!v1) return body;
  if (repetition_type === 'REQUIRED') {
    checkValues(body, v1.encoding, type, v1.num_values);
    return body;
  }
  const levels = 4 + lengthAt(body, 0);
  const present = checkRuns(body.subarray(4, levels), 1, v1.num_values);
  checkValues(body.subarray(levels), v1.encoding, type, present);
  return body;
}

function checkValues(
  values: Uint8Array,
  encoding: string,
  type: ParquetType | undefined,
  count: number,
): void {
  if (encoding === 'RLE') checkRuns(values.subarray(4), 1, count);
  else if (encoding === 'DELTA_BYTE_ARRAY') checkPrefixes(values, count);
  else if (encoding.endsWith('DICTIONARY') && type !== 'BOOLEAN' && values.length > 0) {
    checkRuns(values.subarray(1), values[0]!, count);
  }
}

/**
 * A run says how often a value is repeated, and the library writes it that often, however much room there is.
 * @returns for levels of one bit, how many are 1
 */
function checkRuns(bytes: Uint8Array, bits: number, count: number): number {
  let ones = 0;
  for (let at = 0, seen = 0; seen < count && at < bytes.length;) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80 || shift > 28) break;
    }
    const isPacked = header % 2 === 1;
    const length = Math.floor(header / 2) * (isPacked ? 8 : 1);
    // Packed values are padded to whole groups of eight.
    if (length > count - seen + (isPacked ? MOST_FILLING : 0)) {
      throw new Error('it repeats a value more often than it has rows');
    }
    const size = isPacked ? (length / 8) * bits : (bits + 7) >> 3;
    if (bits === 1) ones += isPacked ? onesIn(bytes.subarray(at, at + size)) : (bytes[at]! & 1) * length;
    at += size;
    seen += length;
  }
  return Math.min(ones, count);
}

/** Texts that share a prefix with the one before, which may be long: none of that is in the page. */
function checkPrefixes(values: Uint8Array, count: number): void {
  if (count === 0) return;
  const reader = { view: new DataView(values.buffer, values.byteOffset, values.byteLength), offset: 0 };
  const prefixes = new Int32Array(count);
  deltaBinaryUnpack(reader, count, prefixes);
  const bytes = prefixes.reduce((sum, length) => sum + length, 0);
  if (bytes > MAX_PAGE_BYTES)
    throw new Error(`it has ${bytes} bytes of text; at most ${MAX_PAGE_BYTES} can be read`);
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

function onesIn(bytes: Uint8Array): number {
  let ones = 0;
  for (let byte of bytes) for (; byte !== 0; byte &= byte - 1) ones++;
  return ones;
}

/** It receives the page unpacked and already checked, whatever the codec. */
function decoderOf(
  { name, type, type_length, repetition_type }: SchemaElement,
  page: Uint8Array,
): ColumnDecoder {
  // It need not know what the schema says about the meaning.
  const element = { name, type, type_length, repetition_type };
  const node = { children: [], count: 1, element, path: [name] };
  const root = { children: [node], count: 1, element: { name: 'root' }, path: [] };
  return {
    pathInSchema: [name],
    type: type!,
    element,
    schemaPath: [root, node],
    codec: 'SNAPPY',
    compressors: { SNAPPY: () => page },
    utf8: false,
    parsers: RAW,
  };
}

/** The old 96-bit times, as nanoseconds. Nothing else has a parser here. */
const RAW = { timestampFromNanoseconds: (nanos: bigint) => nanos } as unknown as ColumnDecoder['parsers'];

import { crc32 } from 'node:zlib';
import { flatten, type DecodedArray, type PageHeader, type ParquetType, type SchemaElement } from 'hyparquet';
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert } from 'hyparquet/src/convert.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import type { ColumnDecoder } from 'hyparquet/src/types.js';
import { unpack } from './parquet-codecs.js';

/** One column of one row group, as it is in the file. */
export interface ColumnChunk {
  offset: number;
  bytes: number;
  codec: string;
}

/** Rows of a row group, counted within it. */
export interface Selection {
  start: number;
  end: number;
  /** In the row group. */
  rows: number;
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

/** Values that pad a packed run: others write 63 groups of eight at a time. */
const MOST_FILLING = 512;

export interface Stored {
  /** By row; null or undefined if there is none. */
  values: ArrayLike<unknown>;
  /** The words of its dictionary, in order, if all of the values are from it. */
  words?: ArrayLike<unknown>;
}

/**
 * The values of a column as they are stored, in these rows of its row group.
 *
 * hyparquet decodes the pages. What it would not notice is checked first: a wrong checksum, and data that would become
 * much larger than it is. Only the pages that have some of these rows are unpacked.
 *
 * @throws Error saying what is wrong, for a caller that knows which column it is
 */
export function readStored(
  bytes: Uint8Array,
  { codec }: Pick<ColumnChunk, 'codec'>,
  element: SchemaElement,
  { start, end, rows }: Selection,
): Stored {
  const found: DecodedArray[] = [];
  let dictionary: DecodedArray | undefined;
  let row = 0;
  let firstRow = 0;
  let areWords = true;
  for (let page = 1, at = 0; row < end; page++) {
    if (at >= bytes.length) throw new Error(`it has ${row} rows, and its row group ${rows}`);
    try {
      const { header, body, next } = pageAt(bytes, at);
      at = next;
      const values = valuesIn(header);
      if (header.type === 'DICTIONARY_PAGE') {
        dictionary = convert(...decoded(header, body, codec, element));
        continue;
      }
      if (header.type !== 'DATA_PAGE' && header.type !== 'DATA_PAGE_V2') continue;
      if (values > rows - row) throw new Error('it has more rows than there are');
      if (row + values > start) {
        const [data] = decoded(header, body, codec, element, dictionary);
        // If there is nothing but nulls, some write none.
        if (
          isOfWords(header) &&
          !dictionary &&
          Array.from(data).some((word) => word !== null && word !== undefined)
        ) {
          throw new Error('the dictionary of its values is not there');
        }
        if (found.length === 0) firstRow = row;
        found.push(data);
        areWords &&= isOfWords(header);
      }
      row += values;
    } catch (cause) {
      throw new Error(`page ${page}: ${(cause as Error).message}`, { cause });
    }
  }
  const all = flatten(found);
  const isExact = firstRow === start && all.length === end - start;
  return {
    values: isExact ? all : all.slice(start - firstRow, end - firstRow),
    words: areWords ? dictionary : undefined,
  };
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

/** The page that begins there. @throws Error if what it says about itself is impossible */
function pageAt(bytes: Uint8Array, at: number): { header: PageHeader; body: Uint8Array; next: number } {
  const length = Math.min(MAX_HEADER_BYTES, bytes.length - at);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset + at, length), offset: 0 };
  const header = parquetHeader(reader);
  const start = at + reader.offset;
  const { compressed_page_size: packed, uncompressed_page_size: size, data_page_header_v2: v2 } = header;
  const levels = [v2?.repetition_levels_byte_length ?? 0, v2?.definition_levels_byte_length ?? 0];
  // As numbers: what is missing, or is something else, is not one of these.
  const counts = [packed, size, valuesIn(header), ...levels, packed - levels[0]! - levels[1]!];
  if (!counts.every((count) => Number.isInteger(count) && count >= 0) || size < levels[0]! + levels[1]!) {
    throw new Error('its header is damaged');
  }
  const body = bytes.subarray(start, start + packed);
  if (body.length < packed) throw new Error('it is cut off');
  return { header, body, next: start + packed };
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

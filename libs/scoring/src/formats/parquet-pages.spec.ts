import { crc32, gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter } from 'hyparquet-writer';
import { serializeTCompactProtocol } from 'hyparquet-writer/src/thrift.js';
import { describe, expect, test } from 'vitest';
import { ColumnReader, Kept } from './parquet-pages.js';
import { valueAt } from './parquet-stored.js';

const NUMBER: SchemaElement = { name: 'x', type: 'INT32', repetition_type: 'REQUIRED' };
const TEXT: SchemaElement = { name: 'x', type: 'BYTE_ARRAY', repetition_type: 'REQUIRED' };
const [DATA, INDEX, DICTIONARY, DATA_V2] = [0, 1, 2, 3];
const [PLAIN, RLE_DICTIONARY, DELTA_BYTE_ARRAY] = [0, 8, 7];
const MANY = 2 ** 31 - 1;

interface Page {
  type?: number;
  /** Its header, by the fields of PageHeader (parquet.thrift). */
  says?: Record<`field_${number}`, unknown>;
  body?: Uint8Array;
}

function page({ type = DATA, says = {}, body = new Uint8Array() }: Page): Buffer {
  const writer = new ByteWriter();
  const header = { field_1: type, field_2: body.length, field_3: body.length, ...says };
  const inOrder = Object.entries(header).toSorted(([one], [other]) => one.localeCompare(other));
  serializeTCompactProtocol(writer, Object.fromEntries(inOrder) as never);
  return Buffer.concat([writer.getBytes(), body]);
}

const data = (values: number, encoding = PLAIN) => ({
  field_5: { field_1: values, field_2: encoding, field_3: 3, field_4: 3 },
});
const words = (values: number) => ({ field_7: { field_1: values, field_2: PLAIN } });
const int32 = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);

function read(pages: Buffer[], rows: number, element = NUMBER, codec = 'UNCOMPRESSED'): unknown[] {
  const bytes = Buffer.concat(pages);
  const at = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const stored = new ColumnReader(at, { bytes: bytes.length, codec }, element, rows).values(0, rows);
  return Array.from({ length: rows }, (_, row) => valueAt(stored, row));
}

/** A Thrift number with this many bytes. */
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];

describe('pages', () => {
  test('are read, and those without data are skipped', () => {
    const one = page({ says: data(2), body: int32(1, 2) });
    const index = page({ type: INDEX, body: Buffer.alloc(9) });
    const checked = page({ says: { ...data(1), field_4: crc32(int32(3)) | 0 }, body: int32(3) });
    expect(read([one, index, checked], 3)).toEqual([1, 2, 3]);
  });

  test.each<[string, Page, SchemaElement, RegExp]>([
    ['that go backwards', { type: INDEX, says: { field_3: -20 } }, NUMBER, /page 1: its header is damaged/],
    [
      'that are nowhere',
      { type: INDEX, says: { field_3: undefined } },
      NUMBER,
      /page 1: its header is damaged/,
    ],
    ['of fewer rows than none', { says: data(-5), body: int32(1) }, NUMBER, /page 1: its header is damaged/],
    [
      'of more rows than there are',
      { says: data(9), body: int32(1) },
      NUMBER,
      /it has more rows than there are/,
    ],
    ['beyond the end', { says: { ...data(1), field_3: 99 }, body: int32(1) }, NUMBER, /it is cut off/],
    [
      'with a wrong checksum',
      { says: { ...data(1), field_4: 5 }, body: int32(1) },
      NUMBER,
      /its checksum is wrong/,
    ],
    [
      'that unpack to very much',
      { says: { ...data(1), field_2: MANY }, body: int32(1) },
      NUMBER,
      /at most 268435456/,
    ],
    [
      'whose levels are longer than they are',
      {
        type: DATA_V2,
        says: { field_8: { field_1: 1, field_2: 0, field_3: 1, field_4: PLAIN, field_5: -MANY, field_6: 0 } },
        body: int32(1),
      },
      NUMBER,
      /its header is damaged/,
    ],
    [
      'of a dictionary of millions of texts that are empty',
      { type: DICTIONARY, says: words(5_000_000), body: Buffer.alloc(20_000_000) },
      TEXT,
      /20000000 bytes and 5000000 values; at most 268435456 and 4194304/,
    ],
    [
      'of places in a dictionary that is not there',
      { says: data(1, RLE_DICTIONARY), body: Buffer.from([1, 2, 0]) },
      NUMBER,
      /the dictionary of its values is not there/,
    ],
    [
      'of texts that begin as long ones do',
      // Deltas in one block of 128, for one more value: 2 GiB of the text before it.
      {
        says: data(1, DELTA_BYTE_ARRAY),
        body: Buffer.from([128, 1, 4, 1, ...varint(2 * MANY), 0, 0, 0, 0, 0]),
      },
      TEXT,
      /bytes of text; at most 268435456/,
    ],
    ['of a kind that is not known', { says: data(1, 77), body: int32(1) }, NUMBER, /page 1: /],
  ])('%s are refused', (_, given, element, says) => {
    // After a valid one, if it is a data page.
    expect(() => read([page(given)], 1, element)).toThrow(says);
  });

  test('with a run longer than the page are refused', () => {
    const dictionary = page({ type: DICTIONARY, says: words(1), body: int32(7) });
    // Bits per index, a run of this length, of the first word.
    const run = (length: number) =>
      page({ says: data(2, RLE_DICTIONARY), body: Buffer.from([1, ...varint(2 * length), 0]) });
    expect(read([dictionary, run(2)], 2)).toEqual([7, 7]);
    expect(() => read([dictionary, run(2 ** 29)], 2)).toThrow(/page 2: it repeats a value more often/);
  });

  test('are refused if there are too few, however many empty ones there are', () => {
    const nothing = page({ says: data(0) });
    expect(() =>
      read(
        Array.from({ length: 50_000 }, () => nothing),
        1,
      ),
    ).toThrow(/has 0 rows, and its row group 1/);
  });

  test('with a header full of objects are refused before there are millions of them', () => {
    // An unknown field 9: a list of ten million empty objects.
    const header = Buffer.concat([
      Buffer.from([0x15, 0, 0x15, 0, 0x15, 0, 0x69, 0xfc, ...varint(10_000_000)]),
      Buffer.alloc(10_000_010),
    ]);
    expect(() => read([header], 1)).toThrow(/page 1: /);
  });

  test.each(['GZIP', 'ZSTD', 'SNAPPY', 'LZ4_RAW', 'BROTLI', 'LZO'])('not in %s are refused', (codec) => {
    expect(() =>
      read([page({ says: { ...data(1), field_2: 4 }, body: Buffer.alloc(30, 0xa5) })], 1, NUMBER, codec),
    ).toThrow(/page 1: /);
  });

  test('that unpack to more than their stated size are not unpacked further', () => {
    const body = gzipSync(Buffer.alloc(50_000_000));
    expect(() => read([page({ says: { ...data(1), field_2: 4 }, body })], 1, NUMBER, 'GZIP')).toThrow(
      /page 1: /,
    );
  });
});

describe('rows that are asked for in parts', () => {
  const NULLABLE: SchemaElement = { name: 'x', type: 'DOUBLE', repetition_type: 'OPTIONAL' };
  const doubles = (...values: number[]) => Buffer.from(Float64Array.from(values).buffer);
  /** Version 1: the levels with their length before them. */
  const body = (levels: number[], values: Uint8Array) => {
    const packed = Buffer.from([(1 << 1) | 1, levels.reduce((byte, level, bit) => byte | (level << bit), 0)]);
    return Buffer.concat([Buffer.from([packed.length, 0, 0, 0]), packed, values]);
  };
  // Places of two bits, packed.
  const places = (...values: number[]) =>
    Buffer.from([2, (1 << 1) | 1, values.reduce((sum, value, at) => sum | (value << (2 * at)), 0) & 255, 0]);
  const pages = [
    page({ type: DICTIONARY, says: words(3), body: doubles(0.5, 1.5, 2.5) }),
    page({ says: data(4, RLE_DICTIONARY), body: body([1, 0, 1, 1], places(2, 0, 1)) }),
    page({ says: data(3, RLE_DICTIONARY), body: body([0, 0, 1], places(1)) }),
    // The dictionary was full.
    page({ says: data(3), body: body([1, 1, 0], doubles(7, -0)) }),
  ];
  const all = [2.5, undefined, 0.5, 1.5, undefined, undefined, 1.5, 7, -0, undefined];

  function reader() {
    const bytes = Buffer.concat(pages);
    const reads: number[] = [];
    const at = (offset: number, length: number) => {
      reads.push(offset);
      return bytes.subarray(offset, offset + length);
    };
    return {
      reads,
      column: new ColumnReader(at, { bytes: bytes.length, codec: 'UNCOMPRESSED' }, NULLABLE, 10),
    };
  }

  test.each([1, 2, 3, 4, 5, 7, 10])('of %i are the same, and no page is read twice', (size) => {
    const { column, reads } = reader();
    const found: unknown[] = [];
    for (let start = 0; start < 10; start += size) {
      const stored = column.values(start, Math.min(start + size, 10));
      for (let row = 0; row < stored.rows; row++) found.push(valueAt(stored, row));
    }
    expect(found).toEqual(all);
    expect(new Set(reads).size).toBe(reads.length);
  });

  test('may leave some out, or go back', () => {
    const { column } = reader();
    const read = (start: number, end: number) => {
      const stored = column.values(start, end);
      return Array.from({ length: stored.rows }, (_, row) => valueAt(stored, row));
    };
    expect(read(8, 10)).toEqual(all.slice(8, 10));
    expect(read(1, 3)).toEqual(all.slice(1, 3));
    expect(read(5, 8)).toEqual(all.slice(5, 8));
  });

  test('of a page that is too large to be kept are the same', () => {
    const rows = 2 ** 23 + 8;
    const large = page({
      says: data(rows),
      body: Buffer.from(Float64Array.from({ length: rows }, (_, row) => row).buffer),
    });
    let reads = 0;
    const at = (offset: number, length: number) => {
      reads++;
      return large.subarray(offset, offset + length);
    };
    const element = { ...NULLABLE, repetition_type: 'REQUIRED' as const };
    const kept = new Kept();
    const column = new ColumnReader(at, { bytes: large.length, codec: 'UNCOMPRESSED' }, element, rows, kept);
    for (const start of [0, 5_000_000]) {
      expect(valueAt(column.values(start, start + 10), 3)).toBe(start + 3);
      expect(kept.bytes).toBe(0);
    }
    expect(reads).toBe(4);
  });

  test('are refused if a value is not in the dictionary', () => {
    const bad = [pages[0]!, page({ says: data(1, RLE_DICTIONARY), body: body([1], places(3)) })];
    expect(() => read(bad, 1, NULLABLE)).toThrow('page 2: a value is not in its dictionary');
  });
});

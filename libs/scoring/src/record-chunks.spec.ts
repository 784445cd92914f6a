import Papa from 'papaparse';
import { describe, expect, test } from 'vitest';
import { randomText, seeded } from '../../../test/support/generated-text.js';
import { QuotedTable } from './formats/quoted-table.js';
import { InputError } from './order.js';
import { firstRecord, splitRecords, type Position, type RecordChunk } from './record-chunks.js';

const START: Position = { offset: 0, line: 1 };

interface Cuts {
  pieceBytes: number;
  chunkBytes: number;
  delimiter?: string;
}

/** Pieces of one size, as a stream might hand them out. */
async function* piecesOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function split(bytes: Buffer, { pieceBytes, chunkBytes, delimiter }: Cuts, from = START) {
  const pieces = piecesOf(bytes.subarray(from.offset), pieceBytes);
  const chunks: RecordChunk[] = [];
  for await (const chunk of splitRecords(pieces, { delimiter, from, chunkBytes })) chunks.push(chunk);
  return chunks;
}

const textOf = ({ bytes }: RecordChunk) => Buffer.from(bytes).toString();
const lineAt = (bytes: Buffer, offset: number) =>
  1 + bytes.subarray(0, offset).reduce((lines, byte) => lines + Number(byte === 0x0a), 0);

/** Runs the chunk parser on a text; text after the last line end is not a record. */
function parse(text: string, delimiter: string): string[][] {
  const { data, errors } = Papa.parse<string[]>(text, { delimiter, newline: '\n' });
  expect(errors.filter(({ type }) => type === 'Quotes')).toEqual([]);
  return text.endsWith('\n') ? data.slice(0, -1) : data;
}

describe.each([
  { name: 'CSV', delimiter: ',' },
  { name: 'TSV', delimiter: '\t' },
])('$name', ({ delimiter }) => {
  test('chunks are whole records, in any pieces and of any size', async () => {
    const random = seeded(1);
    for (let round = 0; round < 400; round++) {
      const { text } = randomText(random, delimiter);
      const bytes = Buffer.from(text);
      const whole = parse(text, delimiter);
      for (let turn = 0; turn < 8; turn++) {
        const cuts = { pieceBytes: 1 + random(70), chunkBytes: 1 + random(200), delimiter };
        const what = JSON.stringify({ text, ...cuts });
        const chunks = await split(bytes, cuts);
        expect(chunks.map(textOf).join(''), what).toBe(text);
        expect(
          chunks.flatMap((chunk) => parse(textOf(chunk), delimiter)),
          what,
        ).toEqual(whole);
        let offset = 0;
        for (const chunk of chunks) {
          expect(chunk.bytes.length, what).toBeGreaterThan(0);
          expect(chunk.firstLine, what).toBe(lineAt(bytes, offset));
          offset += chunk.bytes.length;
          expect(chunk.end, what).toEqual({ offset, line: lineAt(bytes, offset) });
        }
      }
    }
  });

  test('a chunk is cut as soon as it is large enough, so that memory stays flat', async () => {
    const random = seeded(2);
    const records = Array.from(
      { length: 500 },
      (_, row) => `${row}${delimiter}"${'x'.repeat(random(20))}"\n`,
    );
    const chunks = await split(Buffer.from(records.join('')), { pieceBytes: 10, chunkBytes: 100, delimiter });
    for (const chunk of chunks.slice(0, -1)) expect(chunk.bytes.length).toBeLessThanOrEqual(100 + 10);
  });

  test('a reader that starts at the end of a chunk continues as if there had been nothing before', async () => {
    const random = seeded(3);
    for (let round = 0; round < 100; round++) {
      const { text } = randomText(random, delimiter);
      const bytes = Buffer.from(text);
      const cuts = { pieceBytes: 1 + random(70), chunkBytes: 1 + random(200), delimiter };
      const chunks = await split(bytes, cuts);
      const { end } = chunks[random(chunks.length)]!;
      const others = await split(bytes, { ...cuts, pieceBytes: 1 + random(70) }, end);
      expect(others.map(textOf).join('')).toBe(bytes.subarray(end.offset).toString());
      expect(others.at(-1)?.end ?? end).toEqual(chunks.at(-1)!.end);
    }
  });

  test('chunks become the rows that were written, each with its line', async () => {
    const random = seeded(4);
    const header = {
      columns: ['a', 'b', 'c'],
      delimiter,
      places: new Map(),
      flags: new Set<string>(),
      numbers: new Set<string>(),
    };
    for (let round = 0; round < 400; round++) {
      const { text, records } = randomText(random, delimiter);
      const cuts = { pieceBytes: 1 + random(70), chunkBytes: 1 + random(200), delimiter };
      const what = JSON.stringify({ text, ...cuts });
      const found: { cells: readonly string[]; line: number }[] = [];
      for (const { bytes, firstLine } of await split(Buffer.from(text), cuts)) {
        const table = new QuotedTable(bytes, firstLine, header);
        expect(table.problems.size, what).toBe(0);
        for (let row = 0; row < table.rowCount; row++) {
          found.push({ cells: table.fields(row), line: table.placeOf(row) });
        }
      }
      expect(found, what).toEqual(records);
    }
  });
});

test('JSON Lines: a line is a record, whatever quotes are in it', async () => {
  const text = '{"a":"x\\"y"}\n\n{"a":"\n"broken\r\n{"é":1}';
  for (let pieceBytes = 1; pieceBytes < 40; pieceBytes++) {
    const chunks = await split(Buffer.from(text), { pieceBytes, chunkBytes: 1 });
    expect(chunks.map(textOf).join('')).toBe(text);
    for (const chunk of chunks.slice(0, -1)) expect(textOf(chunk)).toMatch(/\n$/);
  }
});

test('empty input has no chunks', async () => {
  expect(await split(Buffer.alloc(0), { pieceBytes: 1, chunkBytes: 1, delimiter: ',' })).toEqual([]);
});

describe('a quote that never closes', () => {
  test.each([
    ['at the beginning', '"a,b\n1,2\n', 1],
    ['at the very end', 'a,b\n1,"', 2],
    ['behind quotes that close', 'a,b\n"1\n""1",2\n3,"4\n5,6\n', 4],
    ['whose last byte is one half of a doubled quote', 'a,b\n1,2\n3,"x""', 3],
    ['after CRLF', 'a,b\r\n1,2\r\n3,"4\r\n5,6\r\n', 3],
  ])('%s: the line it opened on', async (_, text, line) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes++) {
      for (const chunkBytes of [1, 5, 100]) {
        const cuts = { pieceBytes, chunkBytes, delimiter: ',' };
        await expect(split(Buffer.from(text), cuts)).rejects.toThrow(
          new InputError(`Line ${line}: a quote opens a field here and never closes.`),
        );
      }
    }
  });

  test('the line it opened on, even many chunks in', async () => {
    const text = `${'1,2\n'.repeat(5_000)}3,"4\n${'5,6\n'.repeat(5_000)}`;
    for (const chunkBytes of [1, 1000]) {
      const cuts = { pieceBytes: 64, chunkBytes, delimiter: ',' };
      await expect(split(Buffer.from(text), cuts)).rejects.toThrow(
        'Line 5001: a quote opens a field here and never closes.',
      );
    }
  });

  test('one that closes with the last byte is closed', async () => {
    const chunks = await split(Buffer.from('1,"2"'), { pieceBytes: 1, chunkBytes: 1, delimiter: ',' });
    expect(chunks.map(textOf)).toEqual(['1,"2"']);
  });
});

describe('a record of more than 16 MiB ends the run before it fills the memory', () => {
  const MIB = 1024 ** 2;

  test('a quote opened long before: its line', async () => {
    const text = Buffer.concat([Buffer.from('1,2\n3,"4\n'), Buffer.alloc(40 * MIB, '5,6\n')]);
    const cuts = { pieceBytes: MIB, chunkBytes: MIB, delimiter: ',' };
    await expect(split(text, cuts)).rejects.toThrow('Line 2: a quote opens a field here and never closes.');
  });

  test('a line without an end: its number', async () => {
    const text = Buffer.concat([Buffer.from('1,2\n3,4\n'), Buffer.alloc(18 * MIB, 'x')]);
    for (const delimiter of [',', undefined]) {
      const cuts = { pieceBytes: MIB, chunkBytes: MIB, delimiter };
      await expect(split(text, cuts)).rejects.toThrow('Line 3 is longer than 16 MiB.');
    }
  });

  test('15 MiB are not too many', async () => {
    const text = Buffer.concat([Buffer.from('1,2\n3,"'), Buffer.alloc(15 * MIB, 'x\n'), Buffer.from('"\n')]);
    const chunks = await split(text, { pieceBytes: MIB, chunkBytes: MIB, delimiter: ',' });
    expect(chunks.map(({ bytes }) => bytes.length).reduce((a, b) => a + b)).toBe(text.length);
  });
});

describe('the first record', () => {
  test.each([
    ['a,b\n1,2\n', 'a,b\n'],
    ['a,b\r\n1,2', 'a,b\r\n'],
    ['"a\n,""b",c\n1,2\n', '"a\n,""b",c\n'],
    ['a,b', undefined],
    ['', undefined],
    ['"a\nb\n', undefined],
  ])('of %j', (text, first) => {
    expect(firstRecord(Buffer.from(text), ',')?.toString()).toBe(first);
  });

  test('is found in one pass: from the beginning again at every line end would take minutes', () => {
    const text = Buffer.concat([Buffer.from('"'), Buffer.alloc(16 * 1024 ** 2, 'a,b\n')]);
    expect(firstRecord(text, ',')).toBeUndefined();
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DelimitedHeader, DelimitedTable } from './delimited-table.js';
import { PlainTable } from './plain-table.js';
import { QuotedTable } from './quoted-table.js';

const COLUMNS = ['number', 'flag', 'text'];

function headerOf(delimiter: string): DelimitedHeader {
  return {
    columns: COLUMNS,
    delimiter,
    places: new Map(COLUMNS.map((name, place) => [name, place])),
    flags: new Set(['flag']),
    numbers: new Set(['number']),
  };
}

const cell = fc.oneof(
  fc.constantFrom(
    '',
    '1',
    '0',
    '1.0',
    '0.0',
    '-5',
    '2.5e1',
    ' 5 ',
    'nan',
    'x y',
    'Zoë',
    '年',
    '\uFEFFx',
    '😀',
    '!',
  ),
  fc.double().map(String),
);
const row = fc.oneof(
  { weight: 8, arbitrary: fc.array(cell, { minLength: 3, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(cell, { minLength: 0, maxLength: 6 }) },
);
const text = fc
  .tuple(
    fc.constantFrom(',', '\t'),
    fc.array(fc.tuple(row, fc.constantFrom('\n', '\n', '\r\n'))),
    fc.boolean(),
  )
  .map(([delimiter, rows, endsWithLine]) => {
    const lines = rows.map(([cells, end]) => cells.join(delimiter) + end).join('');
    return { delimiter, text: endsWithLine ? lines : `${lines}1${delimiter}0${delimiter}last` };
  })
  .filter(({ text: each }) => each !== '');

function contentOf(table: DelimitedTable) {
  return {
    problems: [...table.problems],
    rows: Array.from({ length: table.rowCount }, (_, index) => ({
      place: table.placeOf(index),
      fields: table.fields(index),
      members: table.members(index),
      values: COLUMNS.map((name) => table.values(name)(index)),
    })),
  };
}

test('rows without quotes are read from bytes as the parser reads them', () => {
  fc.assert(
    fc.property(text, ({ delimiter, text: each }) => {
      const bytes = new Uint8Array(Buffer.from(each));
      const header = headerOf(delimiter);
      const plain = PlainTable.of(bytes, 7, header)!;
      expect(contentOf(plain)).toEqual(contentOf(new QuotedTable(bytes, 7, header)));
      for (const name of COLUMNS) {
        const numbers = new Float64Array(plain.rowCount);
        expect(plain.readNumbers(name, numbers)).toBe(name !== 'text');
        const value = plain.values(name);
        for (const [index, number] of numbers.entries()) {
          if (name !== 'text' && !Number.isNaN(number)) expect(Number(value(index))).toBe(number);
        }
      }
      // What is copied is the row as it was written.
      const lines = each.split('\n').map((line) => line.replace(/\r$/, ''));
      for (let index = 0; index < plain.rowCount; index++) {
        const copied = Buffer.from(bytes.subarray(plain.startOf(index), plain.endOf(index))).toString();
        expect(copied).toBe(lines[plain.placeOf(index) - 7]);
      }
    }),
    { numRuns: 3_000 },
  );
});

test.each(['a,"b",c\n', 'a,b\rc,d\n', 'a,b,c\r'])('%j is left to the parser', (each) => {
  expect(PlainTable.of(new Uint8Array(Buffer.from(each)), 1, headerOf(','))).toBeUndefined();
});

test('rows of one field under many columns take little memory', () => {
  const columns = Array.from({ length: 100_000 }, (_, index) => `c${index}`);
  const bytes = new Uint8Array(Buffer.from('1\n'.repeat(64 * 1024)));
  const before = process.memoryUsage().arrayBuffers;
  const table = PlainTable.of(bytes, 1, { ...headerOf(','), columns })!;
  expect(table.rowCount).toBe(64 * 1024);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 ** 2);
});

import { expect, test } from 'vitest';
import type { DelimitedHeader } from './formats/delimited-table.js';
import { parseHeader } from './formats/header.js';
import { PlainTable } from './formats/plain-table.js';
import { QuotedTable } from './formats/quoted-table.js';
import { firstRecord, splitRecords } from './record-chunks.js';

/** The cases of csv-spectrum (https://github.com/max-mapper/csv-spectrum), written anew. */
const CASES: Record<string, [text: string, rows: string[][]]> = {
  'a comma in quotes': [
    'first,address\nJohn,"120 any st., any town"\n',
    [
      ['first', 'address'],
      ['John', '120 any st., any town'],
    ],
  ],
  'empty cells': [
    'a,b,c\n1,"",""\n2,3,4\n',
    [
      ['a', 'b', 'c'],
      ['1', '', ''],
      ['2', '3', '4'],
    ],
  ],
  'empty cells, CRLF': [
    'a,b,c\r\n1,"",""\r\n2,3,4\r\n',
    [
      ['a', 'b', 'c'],
      ['1', '', ''],
      ['2', '3', '4'],
    ],
  ],
  'doubled quotes': [
    'a,b\n1,"ha ""ha"" ha"\n3,4\n',
    [
      ['a', 'b'],
      ['1', 'ha "ha" ha'],
      ['3', '4'],
    ],
  ],
  JSON: [
    'key,val\n1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"\n',
    [
      ['key', 'val'],
      ['1', '{"type": "Point", "coordinates": [102.0, 0.5]}'],
    ],
  ],
  coordinates: [
    'id,location\n1,"40.7,-74.0"\n2,"-33.9, 151.2"',
    [
      ['id', 'location'],
      ['1', '40.7,-74.0'],
      ['2', '-33.9, 151.2'],
    ],
  ],
  'line ends in quotes': [
    'a,b,c\n1,2,3\n"Once upon \na time",5,6\n7,8,9\n',
    [
      ['a', 'b', 'c'],
      ['1', '2', '3'],
      ['Once upon \na time', '5', '6'],
      ['7', '8', '9'],
    ],
  ],
  'line ends in quotes, CRLF': [
    'a,b,c\r\n1,2,3\r\n"Once upon \r\na time",5,6\r\n7,8,9\r\n',
    [
      ['a', 'b', 'c'],
      ['1', '2', '3'],
      ['Once upon \r\na time', '5', '6'],
      ['7', '8', '9'],
    ],
  ],
  'quotes and line ends': [
    'a,b\n1,"ha \n""ha"" \nha"\n3,4\n',
    [
      ['a', 'b'],
      ['1', 'ha \n"ha" \nha'],
      ['3', '4'],
    ],
  ],
  'a simple table': [
    'a,b,c\n1,2,3',
    [
      ['a', 'b', 'c'],
      ['1', '2', '3'],
    ],
  ],
  'a simple table, CRLF': [
    'a,b,c\r\n1,2,3\r\n',
    [
      ['a', 'b', 'c'],
      ['1', '2', '3'],
    ],
  ],
  'UTF-8': [
    'a,b,c\n1,2,3\n4,5,ʤ\n',
    [
      ['a', 'b', 'c'],
      ['1', '2', '3'],
      ['4', '5', 'ʤ'],
    ],
  ],
};

async function* piecesOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

test.each(Object.keys(CASES))('%s is read the same wherever it is cut', async (name) => {
  const [text, [columns, ...expected]] = CASES[name]! as [string, [string[], ...string[][]]];
  const bytes = Buffer.from(text);
  const first = firstRecord(bytes, ',') ?? bytes;
  expect(await parseHeader(first, ',')).toEqual(columns);
  const header: DelimitedHeader = {
    columns,
    delimiter: ',',
    places: new Map(),
    flags: new Set(),
    numbers: new Set(),
  };
  for (let size = 1; size <= bytes.length; size++) {
    const rows: (readonly string[])[] = [];
    const cuts = { delimiter: ',', from: { offset: 0, line: 1 }, chunkBytes: size };
    for await (const chunk of splitRecords(piecesOf(bytes.subarray(first.length), size), cuts)) {
      const table =
        PlainTable.of(chunk.bytes, chunk.firstLine, header) ??
        new QuotedTable(chunk.bytes, chunk.firstLine, header);
      expect(table.problems.size).toBe(0);
      for (let row = 0; row < table.rowCount; row++) rows.push(table.fields(row));
    }
    expect(rows, `in pieces of ${size} bytes`).toEqual(expected);
  }
});

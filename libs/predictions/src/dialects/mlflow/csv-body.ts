import { isUtf8 } from 'node:buffer';
import Papa from 'papaparse';
import { Problem } from '#libs/errors';
import { MISSING_VALUES, type Column } from '#libs/inference';
import { quoted, repeatedIn } from '../column-names.js';
import { MAX_ROWS, refuseTooManyColumns, refuseTooManyRows } from '../row-limits.js';
import { nameLike } from './layouts.js';

/** With the header, and what Papa Parse makes of the end of the last line. */
const MAX_RECORDS = MAX_ROWS + 2;

/**
 * RFC 4180 with a header. Empty lines are not rows, but cost as much to read and count towards the limit.
 * @returns a table as pandas splits it, of text as it was sent; a cell that is empty, or has one of pandas' words for a
 *   missing value, is null
 * @throws Problem `bad-request` naming the line
 */
export function parseCsvBody(body: Buffer, schema: readonly Column[]) {
  if (!isUtf8(body)) throw Problem.badRequest('The body is not UTF-8.');
  const text = body.toString('utf8').replace(/\r\n?/g, '\n');
  refuseTooManyColumns(cellsInFirstLine(text), schema);
  const { data: records, errors } = Papa.parse<string[]>(text, {
    delimiter: ',',
    newline: '\n',
    preview: MAX_RECORDS + 1,
  });
  refuseTooManyRows(records.length - MAX_RECORDS + MAX_ROWS);
  const broken = errors.find(({ type }) => type === 'Quotes');
  if (broken) {
    const what =
      broken.code === 'MissingQuotes' ? 'a quote that never closes' : 'a quote where none may stand';
    throw Problem.badRequest(`The CSV has ${what}, in line ${lineOf(records, broken.row ?? 0)}.`);
  }

  const first = records.findIndex((record) => !isEmptyLine(record));
  const columns = records[first];
  if (!columns) throw Problem.badRequest('The body is empty. A CSV begins with a line of column names.');
  const repeated = repeatedIn(columns);
  if (repeated !== undefined) throw Problem.badRequest(`The CSV has the column ${quoted(repeated)} twice.`);
  const listed = listedWords(columns, schema);
  const rows: (string | null)[][] = [];
  for (let index = first + 1; index < records.length; index++) {
    const record = records[index]!;
    if (isEmptyLine(record)) continue;
    if (record.length !== columns.length) {
      const cells = record.length === 1 ? '1 cell' : `${record.length} cells`;
      const line = `Line ${lineOf(records, index)} of the CSV`;
      throw Problem.badRequest(`${line} has ${cells}, its header ${columns.length}.`);
    }
    rows.push(
      record.map((cell, column) => (MISSING_VALUES.has(cell) && !listed[column]?.has(cell) ? null : cell)),
    );
  }
  return { columns, data: rows };
}

/** For each column, the words for missing values that it lists as categories: there they have a meaning. */
function listedWords(
  names: readonly string[],
  schema: readonly Column[],
): (ReadonlySet<string> | undefined)[] {
  const byName = new Map(
    schema.flatMap(({ name, categories = [] }) => {
      const words = categories.map(String).filter((word) => MISSING_VALUES.has(word));
      return words.length > 0 ? [[name, new Set(words)] as const] : [];
    }),
  );
  return nameLike(names, schema).map((name) => byName.get(name));
}

/** Quotes are ignored, so this is an upper bound. The cost of reading a line grows with its cells. */
function cellsInFirstLine(text: string): number {
  const start = text.search(/[^\n]/);
  const end = text.indexOf('\n', start);
  let cells = 1;
  for (let at = text.indexOf(',', start); at >= 0 && (end < 0 || at < end); at = text.indexOf(',', at + 1))
    cells++;
  return cells;
}

function isEmptyLine(record: readonly string[]): boolean {
  return record.length === 1 && record[0] === '';
}

/** Counted from 1; a quoted cell may hold line breaks. */
function lineOf(records: readonly string[][], index: number): number {
  let line = index + 1;
  for (let before = 0; before < index; before++) {
    for (const cell of records[before]!) if (cell.includes('\n')) line += cell.split('\n').length - 1;
  }
  return line;
}

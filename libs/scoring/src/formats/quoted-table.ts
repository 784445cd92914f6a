import Papa from 'papaparse';
import { InputError } from '../order.js';
import { DelimitedTable, type DelimitedHeader } from './delimited-table.js';
import { decodeText } from './text.js';

/** U+FEFF, the byte order mark at the beginning of a file and a character anywhere else. */
const MARK = '\uFEFF';

/** Rows with quotes, cut into cells by Papa Parse. */
export class QuotedTable extends DelimitedTable {
  private readonly rows: string[][];
  private readonly lines: readonly number[];

  /** @throws InputError for quotes that do not close, or close too early */
  constructor(bytes: Uint8Array, firstLine: number, header: DelimitedHeader) {
    super(header);
    const { columns, delimiter } = header;
    const text = decodeText(bytes, firstLine);
    const data = parse(text, delimiter, firstLine);
    const isBlank = (row: string[]) => row.length === 1 && row[0] === '' && columns.length > 1;
    // What follows the last line end is not a line.
    if (text.endsWith('\n')) data.pop();
    this.lines = linesOf(data, firstLine, isBlank);
    this.rows = data.some(isBlank) ? data.filter((row) => !isBlank(row)) : data;
    for (const [row, cells] of this.rows.entries()) {
      if (cells.length !== columns.length) this.noteRagged(row, cells.length);
    }
  }

  get rowCount(): number {
    return this.rows.length;
  }

  placeOf(row: number): number {
    return this.lines[row]!;
  }

  readNumbers(): boolean {
    return false;
  }

  protected cell(row: number, column: number): string {
    return this.rows[row]![column] ?? '';
  }
}

/** @throws InputError for quotes that do not close, or close too early */
export function parse(text: string, delimiter: string, firstLine: number): string[][] {
  const lines = withOneLineEnd(text, delimiter);
  // The parser takes the first of any text for the mark of a file, which is already gone.
  const marked = lines.startsWith(MARK) ? MARK + lines : lines;
  const { data, errors } = Papa.parse<string[]>(marked, { delimiter, newline: '\n' });
  const error = errors.find(({ type }) => type === 'Quotes');
  if (!error) return data;
  const line = firstLine + lines.slice(0, error.index).split('\n').length - 1;
  throw new InputError(
    error.code === 'MissingQuotes'
      ? `Line ${line}: a quote opens a field here and never closes.`
      : `Line ${line}: after the closing quote of a field neither a delimiter nor the end of the line follows. ` +
          `A quote within a quoted field is written twice.`,
  );
}

/** Makes all line ends the same; within quotes, where they are part of a value, they stay. */
function withOneLineEnd(text: string, delimiter: string): string {
  if (!text.includes('\r\n')) return text;
  if (!text.includes('"')) return text.replaceAll('\r\n', '\n');
  let written = '';
  for (let from = 0; ;) {
    const opens = openingQuote(text, from, delimiter);
    written += text.slice(from, opens < 0 ? undefined : opens).replaceAll('\r\n', '\n');
    if (opens < 0) return written;
    from = endOfQuoted(text, opens);
    written += text.slice(opens, from);
  }
}

/** A quote that is not at the start of a field is an ordinary character. */
function openingQuote(text: string, from: number, delimiter: string): number {
  let quote = text.indexOf('"', from);
  while (quote > 0 && text[quote - 1] !== delimiter && text[quote - 1] !== '\n') {
    quote = text.indexOf('"', quote + 1);
  }
  return quote;
}

/** The position after the closing quote: one that is not doubled. */
function endOfQuoted(text: string, opens: number): number {
  let quote = text.indexOf('"', opens + 1);
  while (quote >= 0 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2);
  return quote < 0 ? text.length : quote + 1;
}

function linesOf(
  rows: readonly string[][],
  firstLine: number,
  isBlank: (row: string[]) => boolean,
): number[] {
  const lines: number[] = [];
  let line = firstLine;
  for (const row of rows) {
    if (!isBlank(row)) lines.push(line);
    line += 1 + newlinesWithin(row);
  }
  return lines;
}

function newlinesWithin(row: readonly string[]): number {
  return row.reduce((count, cell) => count + (cell.includes('\n') ? cell.split('\n').length - 1 : 0), 0);
}

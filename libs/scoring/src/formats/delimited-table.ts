import Papa from 'papaparse';
import { MISSING_VALUES } from '#libs/inference';
import { checkCount, checkNames } from '../column-names.js';
import { beginningOf } from '../messages.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { decodeText } from './text.js';

/** U+FEFF, the byte order mark at the beginning of a file and a character anywhere else. */
const MARK = '\uFEFF';

/** How many of a row's surplus fields are quoted at most: the message about it is short anyway. */
const MOST_REPEATED = 500;

/** What is the same for all rows of a file. */
export interface DelimitedHeader {
  readonly columns: readonly string[];
  readonly delimiter: string;
  /** Where the requested columns are. */
  readonly places: ReadonlyMap<string, number>;
  /** Columns of zeros and ones. */
  readonly flags: ReadonlySet<string>;
}

/** Rows of CSV or TSV (RFC 4180). An empty cell is a missing value, and so is whatever pandas treats as one. */
export class DelimitedTable implements Table {
  readonly missing = MISSING_VALUES;
  readonly problems = new Map<number, string>();
  /** The rows as they were written, if nothing in them is quoted and each line is one of them. */
  private readonly texts?: readonly string[];
  private readonly rows: string[][];
  /** Each row's line, unless they simply count up from the first. */
  private readonly lines?: readonly number[];

  constructor(
    bytes: Uint8Array,
    private readonly firstLine: number,
    private readonly header: DelimitedHeader,
  ) {
    const { columns, delimiter } = header;
    const text = decodeText(bytes, firstLine);
    const isPlain = !text.includes('"') && !text.includes('\r');
    const data = parse(text, delimiter, firstLine);
    const isBlank = (row: string[]) => row.length === 1 && row[0] === '' && columns.length > 1;
    // What follows the last line end is not a line.
    if (text.endsWith('\n')) data.pop();
    const hasBlank = data.some(isBlank);
    if (isPlain && !hasBlank) this.texts = text.split('\n');
    else this.lines = linesOf(data, firstLine, isBlank);
    this.rows = hasBlank ? data.filter((row) => !isBlank(row)) : data;
    for (let row = 0; row < this.rows.length; row++) {
      if (this.rows[row]!.length !== columns.length) this.noteRagged(row);
    }
  }

  get rowCount(): number {
    return this.rows.length;
  }

  values(name: string): (row: number) => unknown {
    const { rows } = this;
    const index = this.header.places.get(name);
    if (index === undefined) return () => undefined;
    const value = (row: number) => rows[row]![index] || null;
    if (!this.header.flags.has(name)) return value;
    // If such a column has gaps, pandas writes it as floats.
    return (row) => {
      const cell = value(row);
      return cell === '1.0' || cell === '0.0' ? cell[0] : cell;
    };
  }

  placeOf(row: number): number {
    return this.lines?.[row] ?? this.firstLine + row;
  }

  /** As many as the header has, no matter how many the row has. */
  fields(row: number): readonly string[] {
    const cells = this.rows[row]!;
    const width = this.header.columns.length;
    return cells.length === width ? cells : Array.from({ length: width }, (_, index) => cells[index] ?? '');
  }

  get delimiter(): string {
    return this.header.delimiter;
  }

  /** A row as it was written, if it can be written so again; a short one with the fields that it lacks. */
  textOf(row: number): string | undefined {
    const text = this.texts?.[row];
    if (text === undefined || !this.problems.has(row)) return text;
    const lacking = this.header.columns.length - this.rows[row]!.length;
    return lacking > 0 ? text + this.header.delimiter.repeat(lacking) : undefined;
  }

  members(row: number): string {
    const cells = this.rows[row]!;
    return this.header.columns
      .map((name, index) => `${JSON.stringify(name)}:${JSON.stringify(cells[index] || null)}`)
      .join(',');
  }

  /** It stays a row of its own; its surplus fields are in the message about it. */
  private noteRagged(row: number): void {
    const cells = this.rows[row]!;
    const width = this.header.columns.length;
    const surplus = cells.slice(width, width + MOST_REPEATED).map(beginningOf);
    const kept = surplus.length > 0 ? `; what is beyond them: ${JSON.stringify(surplus)}` : '';
    this.problems.set(
      row,
      `line ${this.placeOf(row)} has ${cells.length} fields, the header has ${width}${kept}`,
    );
  }
}

/** The names in the header. @throws InputError for too many, and for two columns with the same name */
export function parseHeader(bytes: Uint8Array, delimiter: string): string[] {
  checkCount(countColumns(bytes, delimiter));
  const columns = parse(decodeText(bytes, 1), delimiter, 1)[0] ?? [];
  checkNames(columns);
  return columns;
}

/** How many columns there seem to be, which is quick to find; few have a delimiter within quotes. */
function countColumns(bytes: Uint8Array, delimiter: string): number {
  const code = delimiter.charCodeAt(0);
  let count = 1;
  for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) count++;
  return count;
}

function parse(text: string, delimiter: string, firstLine: number): string[][] {
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

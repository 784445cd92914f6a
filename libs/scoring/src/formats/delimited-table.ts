import Papa from 'papaparse';
import { checkNames } from '../column-names.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { decodeText } from './text.js';

/** Rows of CSV or TSV (RFC 4180). An empty cell is a missing value. */
export class DelimitedTable implements Table {
  readonly problems = new Map<number, string>();
  /** The rows as they were written, where nothing in them is quoted and each line is one of them. */
  private readonly texts?: readonly string[];
  private readonly rows: string[][];
  /** Each row's line, where that is not simply counting on from the first. */
  private readonly lines?: readonly number[];

  constructor(
    bytes: Uint8Array,
    private readonly firstLine: number,
    private readonly columns: readonly string[],
    readonly delimiter: string,
    /** Columns of zeros and ones. */
    private readonly flags: ReadonlySet<string> = new Set(),
  ) {
    const text = decodeText(bytes, firstLine);
    const isPlain = !text.includes('"') && !text.includes('\r');
    const data = parse(text, delimiter, firstLine);
    const isBlank = (row: string[]) => row.length === 1 && row[0] === '' && columns.length > 1;
    // What follows the last line end is no line.
    if (text.endsWith('\n')) data.pop();
    const hasBlank = data.some(isBlank);
    if (isPlain && !hasBlank) this.texts = text.split('\n');
    else this.lines = linesOf(data, firstLine, isBlank);
    this.rows = hasBlank ? data.filter((row) => !isBlank(row)) : data;
    for (let row = 0; row < this.rows.length; row++) {
      if (this.rows[row]!.length !== columns.length) this.mendRagged(row);
    }
  }

  get rowCount(): number {
    return this.rows.length;
  }

  values(name: string): (row: number) => unknown {
    const { rows } = this;
    const index = this.columns.indexOf(name);
    if (index < 0) return () => undefined;
    const value = (row: number) => {
      const cell = rows[row]![index]!;
      return cell === '' ? null : cell;
    };
    if (!this.flags.has(name)) return value;
    // Where such a column has gaps, pandas writes it as floats.
    return (row) => {
      const cell = value(row);
      return cell === '1.0' || cell === '0.0' ? cell[0] : cell;
    };
  }

  placeOf(row: number): number {
    return this.lines?.[row] ?? this.firstLine + row;
  }

  fields(row: number): readonly string[] {
    return this.rows[row]!;
  }

  /** A row as it was written, where it can be written so again. */
  textOf(row: number): string | undefined {
    return this.problems.has(row) ? undefined : this.texts?.[row];
  }

  members(row: number): string {
    const cells = this.rows[row]!;
    return this.columns
      .map(
        (name, index) =>
          `${JSON.stringify(name)}:${cells[index] === '' ? 'null' : JSON.stringify(cells[index])}`,
      )
      .join(',');
  }

  /** It stays a row of its own, as long as the others; what it has beyond them stands in what is said of it. */
  private mendRagged(row: number): void {
    const cells = this.rows[row]!;
    const width = this.columns.length;
    const surplus = cells.slice(width);
    const kept = surplus.length > 0 ? `; what is beyond them: ${JSON.stringify(surplus)}` : '';
    this.problems.set(
      row,
      `line ${this.placeOf(row)} has ${cells.length} fields, the header has ${width}${kept}`,
    );
    this.rows[row] = Array.from({ length: width }, (_, index) => cells[index] ?? '');
  }
}

/** The names in the header. @throws InputError for two columns of one name */
export function parseHeader(bytes: Uint8Array, delimiter: string): string[] {
  const columns = parse(decodeText(bytes, 1), delimiter, 1)[0] ?? [];
  checkNames(columns);
  return columns;
}

function parse(text: string, delimiter: string, firstLine: number): string[][] {
  const lines = withOneLineEnd(text, delimiter);
  const { data, errors } = Papa.parse<string[]>(lines, { delimiter, newline: '\n' });
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

/** Line ends become one kind; within quotes, where they are part of a value, they stay. */
function withOneLineEnd(text: string, delimiter: string): string {
  if (!text.includes('\r\n')) return text;
  if (!text.includes('"')) return text.replaceAll('\r\n', '\n');
  // A quote that is not the first of a field is a letter.
  const quotedOrEnd = new RegExp(`(?<=^|[${delimiter}\\n])"[^"]*(?:""[^"]*)*"|\\r\\n`, 'g');
  return text.replaceAll(quotedOrEnd, (found) => (found === '\r\n' ? '\n' : found));
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

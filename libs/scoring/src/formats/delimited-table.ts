import { MISSING_VALUES } from '#libs/inference';
import { beginningOf } from '../messages.js';
import type { Table } from '../table.js';

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
  /** Columns of numbers. */
  readonly numbers: ReadonlySet<string>;
}

/** Rows of CSV or TSV (RFC 4180). An empty cell is a missing value, and so is whatever pandas treats as one. */
export abstract class DelimitedTable implements Table {
  readonly missing = MISSING_VALUES;
  readonly problems = new Map<number, string>();

  constructor(protected readonly header: DelimitedHeader) {}

  abstract get rowCount(): number;
  abstract placeOf(row: number): number;
  abstract readNumbers(name: string, into: Float64Array): boolean;
  /** A field that the row has, or an empty one. */
  protected abstract cell(row: number, column: number): string;

  values(name: string): (row: number) => unknown {
    const column = this.header.places.get(name);
    if (column === undefined) return () => undefined;
    const value = (row: number) => this.cell(row, column) || null;
    if (!this.header.flags.has(name)) return value;
    // If such a column has gaps, pandas writes it as floats.
    return (row) => {
      const cell = value(row);
      return cell === '1.0' || cell === '0.0' ? cell[0] : cell;
    };
  }

  /** As many as the header has, no matter how many the row has. */
  fields(row: number): readonly string[] {
    return this.header.columns.map((_, column) => this.cell(row, column));
  }

  members(row: number): string {
    return this.header.columns
      .map((name, column) => `${JSON.stringify(name)}:${JSON.stringify(this.cell(row, column) || null)}`)
      .join(',');
  }

  /** It stays a row of its own; its surplus fields are in the message about it. */
  protected noteRagged(row: number, fields: number): void {
    const width = this.header.columns.length;
    const surplus = Array.from({ length: Math.max(0, Math.min(fields - width, MOST_REPEATED)) }, (_, index) =>
      beginningOf(this.cell(row, width + index)),
    );
    const kept = surplus.length > 0 ? `; what is beyond them: ${JSON.stringify(surplus)}` : '';
    this.problems.set(row, `line ${this.placeOf(row)} has ${fields} fields, the header has ${width}${kept}`);
  }
}

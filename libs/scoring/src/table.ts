/** What a chunk of the input became: rows of cells, whatever the format. */
export interface Table {
  readonly rowCount: number;
  /** One column's values by row: undefined if there is nothing at all, null if the value is missing. */
  values(name: string): (row: number) => unknown;
  /**
   * One column's values as numbers, by row, as far as that needs no text: NaN is a row that `values` has to answer.
   * @returns whether there are any
   */
  readNumbers(name: string, into: Float64Array): boolean;
  /** Texts that stand for a missing value, unless a category has that name. */
  readonly missing: ReadonlySet<string>;
  /** What is wrong with rows as a whole, by row. */
  readonly problems: ReadonlyMap<number, string>;
  /** Where a row is in the input: its line in text, its number in Parquet, both from 1. */
  placeOf(row: number): number;
  /** A row as the cells of a delimited file. */
  fields(row: number): readonly string[];
  /** A row as the members of a JSON object, without the braces. */
  members(row: number): string;
}

/** A column that the output has in addition to the input's. */
export interface AddedColumn {
  readonly name: string;
  readonly type: 'float32' | 'float64' | 'integer' | 'string';
}

/** The values of such a column, by row. */
export type AddedValues = (row: number) => number | string | null;

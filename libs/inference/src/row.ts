/** What the graph takes as one column's values. */
export type ElementType = 'float32' | 'float64' | 'int64' | 'int32' | 'bool' | 'string';

/** One of a graph's inputs; of its shape -1 is the number of rows. */
export interface InputTensor {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
}

/** One value a column, in the schema's order: a number (NaN is missing) or, for a category, a string ('' is missing). */
export type Row = (number | string)[];

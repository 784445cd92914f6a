/** What the graph takes as one column's values. */
export type ElementType = 'float32' | 'float64' | 'int64' | 'int32' | 'bool' | 'string';

/** One value a column, in the schema's order: a number (NaN is missing) or, for a category, a string ('' is missing). */
export type Row = (number | string)[];

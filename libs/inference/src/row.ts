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

/** What a classifier says of one row. */
export interface ClassPrediction {
  /** One of the manifest's labels: the graph's own choice or, of two, the second where it is over the threshold. */
  readonly label: string;
  /** One a label, in the manifest's order. */
  readonly probabilities: readonly number[];
}

/** What a regression says of one row, in the unit of what it was trained on. */
export interface ValuePrediction {
  readonly value: number;
}

export type Prediction = ClassPrediction | ValuePrediction;

/** What the graph takes as one column's values. */
export type ElementType = 'float32' | 'float64' | 'int64' | 'int32' | 'bool' | 'string';

/** One of a graph's inputs; -1 in its shape is the number of rows. */
export interface InputTensor {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
}

/** One value per column, in the schema's order: a number (NaN is missing) or, for a category, text ('' is missing). */
export type Row = (number | string)[];

/** What a classifier says about one row. */
export interface ClassPrediction {
  /** One of the manifest's labels: the graph's own choice or, of two, the second if it is above the threshold. */
  readonly label: string;
  /** One per label, in the manifest's order. */
  readonly probabilities: readonly number[];
}

/** What a regression says about one row, in the unit of its training data. */
export interface ValuePrediction {
  readonly value: number;
}

export type Prediction = ClassPrediction | ValuePrediction;

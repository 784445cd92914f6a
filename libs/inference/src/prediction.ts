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

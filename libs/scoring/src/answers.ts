import type { Manifest, Outputs } from '#libs/inference';
import type { AddedColumn, AddedValues } from './table.js';

/** What a model answered for the rows of a table, run after run. */
export interface Answers {
  /** Takes what the run of the rows from `start` up to `end` returned. */
  take(start: number, end: number, outputs: Outputs): void;
  /** Whether it is an answer: a graph may return NaN. */
  isNumber(row: number): boolean;
  /** As they are added to the output. */
  readonly columns: readonly AddedValues[];
}

export function valueAnswers(rows: number): Answers {
  const values = new Float64Array(rows);
  return {
    take(start, end, outputs) {
      if (!('values' in outputs)) throw new Error('a regression answered with classes');
      for (let row = start; row < end; row++) values[row] = outputs.values[row - start]!;
    },
    isNumber: (row) => Number.isFinite(values[row]),
    columns: [(row) => values[row]!],
  };
}

/** For two classes the second one's probability and the decision, for more classes the label and its probability. */
export function classAnswers(rows: number, labels: readonly string[], isBinary: boolean): Answers {
  const chosen = new Uint32Array(rows);
  const numbers = new Float64Array(rows);
  const width = labels.length;
  return {
    take(start, end, outputs) {
      if (!('chosen' in outputs)) throw new Error('a classifier answered with values');
      for (let row = start; row < end; row++) {
        const choice = outputs.chosen[row - start]!;
        chosen[row] = choice;
        numbers[row] = outputs.probabilities[(row - start) * width + (isBinary ? 1 : choice)]!;
      }
    },
    isNumber: (row) => Number.isFinite(numbers[row]),
    columns: isBinary
      ? [(row) => numbers[row]!, (row) => chosen[row]!]
      : [(row) => labels[chosen[row]!]!, (row) => numbers[row]!],
  };
}

/** The columns of a prediction, in the order of `Answers`. */
export function addedColumns({ task }: Manifest, number: 'float32' | 'float64' = 'float32'): AddedColumn[] {
  switch (task) {
    case 'binary_classification':
      return [
        { name: 'yhat_prob', type: number },
        { name: 'yhat', type: 'integer' },
      ];
    case 'multiclass_classification':
      return [
        { name: 'prediction', type: 'string' },
        { name: 'confidence', type: number },
      ];
    case 'regression':
      return [{ name: 'prediction', type: number }];
  }
}

import { formatNumber, type Features, type Manifest, type Model, type Prediction } from '#libs/inference';

/** What a caller asked, read from a body: one row or more. */
export interface Question {
  instances: readonly Features[];
  /** Where in the body an instance stands, as a JSON Pointer: '' for the body itself, '/instances/3' for one of many. */
  locate(index: number): string;
}

/**
 * What a prediction comes to, for comparing one with another: of a binary classifier the probability of its second
 * label, of another the probability of the label it chose, of a regression the value.
 */
export interface Gist {
  label?: string;
  number: number;
}

/** A wire format: how a body asks and how an answer is written. It knows no HTTP; routes choose the one they speak. */
export interface Dialect {
  /** As recorded. */
  readonly name: string;
  /** The JSON value in a body → the question. @throws Problem `bad-request` */
  read(body: unknown): Question;
  /** The answer as JSON text, which is sent and recorded as it is; one prediction an instance, in their order. */
  write(predictions: readonly Prediction[], model: Model, requestId: string): string;
  /** A recorded answer → what it came to, one an instance. */
  recall(output: unknown, manifest: Manifest): Gist[];
}

/** With the digits that it would be recorded with. */
export function gistOf(prediction: Prediction, manifest: Manifest): Gist {
  if ('value' in prediction) return { number: asRecorded(prediction.value) };
  const { label, probabilities } = prediction;
  const labels = manifest.task === 'regression' ? [] : manifest.labels;
  const index = manifest.task === 'binary_classification' ? 1 : labels.indexOf(label);
  return { label, number: asRecorded(probabilities[index]!) };
}

function asRecorded(number: number): number {
  return Number(formatNumber(number));
}

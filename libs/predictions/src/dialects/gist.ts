import { formatNumber, type Manifest, type Prediction } from '#libs/inference';

/**
 * A prediction reduced to what can be compared: for a binary classifier the probability of its second label, for any
 * other classifier the probability of the label it chose, for a regression the value.
 */
export interface Gist {
  label?: string;
  /** Undefined if the answer did not contain it. */
  number?: number;
}

/** With the digits it would have in the record. */
export function gistOf(prediction: Prediction, manifest: Manifest): Gist {
  if ('value' in prediction) return { number: asRecorded(prediction.value) };
  const { label, probabilities } = prediction;
  return gistOfProbabilities(probabilities.map(asRecorded), manifest, label);
}

/** @param label the one that was chosen, if the answer says so */
export function gistOfProbabilities(
  probabilities: readonly number[],
  manifest: Manifest,
  label?: string,
): Gist {
  if (manifest.task === 'regression') return {};
  const { labels } = manifest;
  if (manifest.task === 'binary_classification') {
    const number = probabilities[1]!;
    return { label: label ?? labels[number > manifest.threshold ? 1 : 0]!, number };
  }
  const index =
    label === undefined ? probabilities.indexOf(Math.max(...probabilities)) : labels.indexOf(label);
  return { label: labels[index]!, number: probabilities[index]! };
}

function asRecorded(number: number): number {
  return Number(formatNumber(number));
}

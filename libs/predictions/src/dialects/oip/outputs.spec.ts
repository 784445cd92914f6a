import { expect, test } from 'vitest';
import type { Manifest, Prediction } from '#libs/inference';
import { gistOf } from '../gist.js';
import { outputsOf, readOutputs, recallOutputs, writeOutput } from './outputs.js';

const manifest = (task: string, labels: string[]) =>
  ({ name: 'm', version: '1', sha256: '', task, labels, threshold: 0.3 }) as unknown as Manifest;
const BINARY = manifest('binary_classification', ['no', 'yes: certainly']);
const FLOWERS = manifest('multiclass_classification', ['setosa', 'versicolor', 'virginica']);
const VALUE = manifest('regression', []);

function recalled(predictions: readonly Prediction[], of: Manifest, wanted: unknown): unknown {
  const written = readOutputs(wanted, of).map((output) => writeOutput(output, predictions, of));
  return recallOutputs(JSON.parse(`[${written.join()}]`) as never, of);
}

const classified = (classification: number) => [{ name: 'probabilities', parameters: { classification } }];

test.each<[string, Manifest, Prediction[]]>([
  [
    'a binary classifier, whose label is not the likeliest',
    BINARY,
    [
      { label: 'yes: certainly', probabilities: [0.6, 0.4] },
      { label: 'no', probabilities: [0.9, 0.1] },
    ],
  ],
  ['another', FLOWERS, [{ label: 'virginica', probabilities: [0.1, 0.2, 0.7] }]],
  ['a regression', VALUE, [{ value: 1.5 }, { value: -2 }]],
])('the answer of %s is read back, whatever outputs were requested', (_, of, predictions) => {
  const gists = predictions.map((each) => gistOf(each, of));
  expect(recalled(predictions, of, undefined)).toEqual(gists);
  for (const { name } of outputsOf(of)) {
    const expected = name === 'label' ? gists.map(({ label }) => ({ label })) : gists;
    expect(recalled(predictions, of, [{ name }])).toEqual(expected);
  }
  if (of === VALUE) return;
  expect(recalled(predictions, of, classified(9))).toEqual(gists);
  expect(recalled(predictions, of, [{ name: 'label' }, ...classified(1)])).toEqual(
    gists.map(({ label }) => ({ label })),
  );
});

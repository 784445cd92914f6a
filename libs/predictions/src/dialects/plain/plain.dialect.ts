import { Problem, problemJson } from '#libs/errors';
import { formatNumber, type Features, type Manifest, type Model, type Prediction } from '#libs/inference';
import { refuseValues } from '../bad-values.js';
import { isColumnOf } from '../column-names.js';
import type { Dialect, Question } from '../dialect.js';
import type { Gist } from '../gist.js';
import { jsonBody } from '../json-body.js';
import { Allowance } from '../excess.js';
import { defaultModel } from '../route.js';
import { plainDocument } from './document.js';

/**
 * One feature object in; out, as strings: for a binary classifier the probability of the second label and the decision
 * (0 or 1), for another classifier the label and its probability, for a regression the value.
 */
export const plainDialect: Dialect = {
  name: 'plain',
  paths: /^\/predict$/,
  problems: problemJson,
  routes: [
    {
      path: 'predict',
      operationId: 'predict',
      summary: 'Predict for one feature dictionary with the default model',
      modelOf: defaultModel,
    },
  ],
  document: plainDocument,
  ...jsonBody,

  read(body: unknown): Question {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw Problem.badRequest('The body must be a JSON object with one member for each column.');
    }
    return { instances: [body as Features], refuse, write };
  },

  abridge: (features, { columns }, leftOut) =>
    new Allowance(leftOut).membersOf(features as Features, isColumnOf(columns)),

  recall(output: unknown, manifest: Manifest): Gist[] {
    const { yhat_prob, yhat, prediction, confidence } = output as Record<string, string>;
    if (manifest.task === 'regression') return [{ number: Number(prediction) }];
    if (manifest.task === 'multiclass_classification') {
      return [{ label: prediction!, number: Number(confidence) }];
    }
    return [{ label: manifest.labels[Number(yhat)]!, number: Number(yhat_prob) }];
  },
};

const refuse: Question['refuse'] = (errors) => refuseValues(errors, () => '');

function write([prediction]: readonly Prediction[], { manifest }: Model): string {
  if ('value' in prediction!) return `{"prediction":"${formatNumber(prediction.value)}"}`;
  const { label, probabilities } = prediction!;
  const chosen = manifest.task === 'regression' ? -1 : manifest.labels.indexOf(label);
  if (manifest.task === 'binary_classification') {
    return `{"yhat_prob":"${formatNumber(probabilities[1]!)}","yhat":"${chosen}"}`;
  }
  return `{"prediction":${JSON.stringify(label)},"confidence":"${formatNumber(probabilities[chosen]!)}"}`;
}

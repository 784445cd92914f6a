import { Problem, problemJson } from '#libs/errors';
import { formatNumber, type Features, type Manifest, type Model, type Prediction } from '#libs/inference';
import { isObject, parseJsonBody } from '#libs/json';
import { refuseValues } from '../bad-values.js';
import { isColumnOf } from '../column-names.js';
import type { Dialect, Question } from '../dialect.js';
import type { Gist } from '../gist.js';
import { jsonBody } from '../json-body.js';
import { maxValuesPerRow } from '../row-limits.js';
import { Allowance } from '../excess.js';
import { modelVersion, servedModel } from '../route.js';
import { namedDocument } from './document.js';

const MAX_INSTANCES = 1000;

/** One feature object or `{"instances":[…]}` in; the model, and one prediction with its numbers per instance, out. */
export const namedDialect: Dialect = {
  name: 'named',
  paths: /^\/models\/[^/]+\/(versions\/[^/]+\/)?predict$/,
  problems: problemJson,
  routes: [
    {
      path: 'models/:name/predict',
      operationId: 'predict',
      summary: 'Predict with the served version of a model',
      modelOf: servedModel,
    },
    {
      path: 'models/:name/versions/:version/predict',
      operationId: 'predict',
      summary: 'Predict with one version of a model',
      modelOf: modelVersion,
    },
  ],
  document: namedDocument,
  ...jsonBody,

  parse: (body, _headers, { columns }) => parseJsonBody(body, { values: maxValuesPerRow(columns), rowsIn }),

  read(body: unknown): Question {
    if (!isObject(body)) {
      throw Problem.badRequest(
        'The body must be one feature object, or {"instances": [one feature object each]}.',
      );
    }
    if (!Object.hasOwn(body, 'instances')) return { instances: [body], refuse: refuseOne, write };
    const { instances } = body;
    if (!Array.isArray(instances) || instances.length === 0 || instances.length > MAX_INSTANCES) {
      throw Problem.badRequest(`"instances" must be an array of 1 to ${MAX_INSTANCES} feature objects.`);
    }
    const wrong = instances.findIndex((instance) => !isObject(instance));
    if (wrong >= 0) {
      const detail = 'must be an object with one member for each column';
      throw Problem.badRequest(`Instance ${wrong} ${detail}.`, [{ detail, pointer: `#/instances/${wrong}` }]);
    }
    return { instances: instances as Features[], refuse: refuseMany, write };
  },

  abridge(input, { columns }, leftOut) {
    const isColumn = isColumnOf(columns);
    const body = input as Features;
    if (!Object.hasOwn(body, 'instances')) return new Allowance(leftOut).membersOf(body, isColumn);
    const instances = (body.instances as Features[]).map((each) =>
      new Allowance(leftOut).membersOf(each, isColumn),
    );
    return new Allowance(leftOut).membersOf({ ...body, instances }, (name) => name === 'instances');
  },

  recall(output: unknown, manifest: Manifest): Gist[] {
    const { predictions } = output as { predictions: NamedPrediction[] };
    return predictions.map((each) => {
      if (each.prediction !== undefined) return { number: each.prediction };
      const isBinary = manifest.task === 'binary_classification';
      const number = isBinary ? each.probabilities![manifest.labels[1]!]! : each.confidence!;
      return { label: each.label!, number };
    });
  },
};

function rowsIn(body: unknown): number {
  return isObject(body) && Array.isArray(body.instances) ? body.instances.length : 1;
}

/** One entry of `predictions`, as it was written. */
interface NamedPrediction {
  label?: string;
  confidence?: number;
  probabilities?: Record<string, number>;
  prediction?: number;
}

const refuseOne: Question['refuse'] = (errors) => refuseValues(errors, () => '');
const refuseMany: Question['refuse'] = (errors) => refuseValues(errors, (index) => `/instances/${index}`);

function write(
  predictions: readonly Prediction[],
  { name, version, manifest }: Model,
  requestId: string,
): string {
  const labels = manifest.task === 'regression' ? [] : manifest.labels;
  const head = JSON.stringify({ request_id: requestId, model: { name, version } });
  return `${head.slice(0, -1)},"predictions":[${predictions.map((each) => toJson(each, labels)).join(',')}]}`;
}

/** Written by hand for its numbers: `JSON.stringify` would write a float32 with the digits of a float64. */
function toJson(prediction: Prediction, labels: readonly string[]): string {
  if ('value' in prediction) return `{"prediction":${formatNumber(prediction.value)}}`;
  const { label, probabilities } = prediction;
  const confidence = formatNumber(probabilities[labels.indexOf(label)]!);
  const each = labels.map((name, index) => `${JSON.stringify(name)}:${formatNumber(probabilities[index]!)}`);
  return `{"label":${JSON.stringify(label)},"confidence":${confidence},"probabilities":{${each.join(',')}}}`;
}

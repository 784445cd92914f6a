import { Problem, type ProblemForm } from '#libs/errors';
import { formatNumber, type Features, type Manifest, type Model, type Prediction } from '#libs/inference';
import { isObject, parsePythonJsonBody, record, STRING } from '#libs/json';
import { parseModelReference, type ModelReference } from '#libs/models';
import { firstOfEachColumn } from '../bad-values.js';
import type { BadValue, Dialect, Question } from '../dialect.js';
import { gistOfProbabilities, type Gist } from '../gist.js';
import { areIntegers } from '../labels.js';
import { MAX_ROWS, maxValuesPerRow } from '../row-limits.js';
import { modelVersion, servedModel } from '../route.js';
import { abridgeLayout } from './abridged-layout.js';
import { parseCsvBody } from './csv-body.js';
import { mlflowDocument } from './document.js';
import { invalidValue, missingInputs, pythonList, readLayout, rowsIn } from './layouts.js';

/** The limit for a list of rows. A list slightly too long is still read, so that the refusal can recommend files. */
const MAX_ELEMENTS = 2 * MAX_ROWS;

/** The names that MLflow's own servers give to errors (mlflow/protos/databricks.proto), by HTTP status. */
const ERROR_CODES: Record<number, string> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'RESOURCE_DOES_NOT_EXIST',
  500: 'INTERNAL_ERROR',
  503: 'TEMPORARILY_UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

const problems: ProblemForm = {
  contentType: 'application/json; charset=utf-8',
  write: ({ status, message, members }) =>
    JSON.stringify({ error_code: members.error_code ?? ERROR_CODES[status] ?? 'BAD_REQUEST', message }),
  schema: {
    name: 'MlflowError',
    schema: record({ error_code: { type: 'string', pattern: '^[A-Z_]+$' }, message: STRING }),
  },
};

/**
 * MLflow's scoring protocol: a table in one of its JSON layouts or as CSV in, one entry per row out, the label of a
 * classifier or the value of a regression; with `"params":{"predict_method":"predict_proba"}` the class probabilities.
 * https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally
 */
export const mlflowDialect: Dialect = {
  name: 'mlflow',
  paths: /^\/(ping|invocations|models\/.+\/invocations)\/?$/,
  problems,
  routes: [
    {
      path: 'invocations',
      operationId: 'invoke',
      summary: 'Score a table with the default model, or with the one in `model`',
      queryParameters: [{ name: 'model', example: 'models:/heart-failure/Production' }],
      modelOf: ({ query }) => modelNamed(query.model),
    },
    {
      path: 'models/:name/invocations',
      operationId: 'invokeModel',
      summary: 'Score a table with the served version of a model',
      modelOf: servedModel,
    },
    {
      path: 'models/:name/versions/:version/invocations',
      operationId: 'invokeModelVersion',
      summary: 'Score a table with one version of a model',
      modelOf: modelVersion,
    },
  ],
  document: mlflowDocument,
  mediaTypes: 'application/json or text/csv, with no parameter but charset=utf-8',

  accepts(contentType = ''): boolean {
    const [type, ...parameters] = contentType.toLowerCase().split(';');
    return (
      ['application/json', 'text/csv'].includes(type!.trim()) &&
      parameters.every((each) => ['charset=utf-8', 'charset="utf-8"', ''].includes(each.trim()))
    );
  },

  parse(body, { 'content-type': contentType = '' }, { columns }): unknown {
    if (!/^text\/csv/i.test(String(contentType))) {
      return parsePythonJsonBody(body, { values: maxValuesPerRow(columns), elements: MAX_ELEMENTS, rowsIn });
    }
    return { dataframe_split: parseCsvBody(body, columns) };
  },

  read(input: unknown, { columns, manifest }: Model): Question {
    const instances = readLayout(input, columns);
    const isProbabilities = wantsProbabilities(input as Features, manifest);
    return {
      instances,
      refuse: (errors) => refuse(errors, instances),
      write: (predictions) => `{"predictions":[${writeAll(predictions, manifest, isProbabilities)}]}`,
    };
  },

  abridge: (input, { columns }, leftOut) => abridgeLayout(input as Features, columns, leftOut),

  recall(output: unknown, manifest: Manifest): Gist[] {
    const { predictions } = output as { predictions: (number | string | number[])[] };
    return predictions.map((each) => {
      if (Array.isArray(each)) return gistOfProbabilities(each, manifest);
      return manifest.task === 'regression' ? { number: Number(each) } : { label: String(each) };
    });
  },
};

function modelNamed(model: string | string[] | undefined): ModelReference | undefined {
  if (model === undefined) return undefined;
  if (typeof model === 'string') return parseModelReference(model);
  throw Problem.badRequest('The query parameter "model" must be given once.');
}

function writeAll(predictions: readonly Prediction[], manifest: Manifest, isProbabilities: boolean): string {
  const hasIntegers = manifest.task !== 'regression' && areIntegers(manifest.labels);
  return predictions
    .map((each) => {
      if ('value' in each) return formatNumber(each.value);
      if (isProbabilities) return `[${each.probabilities.map(formatNumber).join(',')}]`;
      return hasIntegers ? each.label : JSON.stringify(each.label);
    })
    .join(',');
}

/** Other parameters are ignored, as MLflow ignores those that a model does not know. */
function wantsProbabilities({ params }: Features, { task }: Manifest): boolean {
  if (params === undefined || params === null) return false;
  if (!isObject(params)) throw Problem.badRequest('"params" must be an object.');
  const { predict_method: method = 'predict' } = params;
  if (method === 'predict') return false;
  if (method !== 'predict_proba') throw invalidValue('"predict_method" must be predict or predict_proba.');
  if (task === 'regression')
    throw invalidValue('A regression has no probabilities: leave out "predict_method".');
  return true;
}

function refuse(errors: readonly BadValue[], instances: readonly Features[]): Problem {
  const firsts = firstOfEachColumn(errors);
  const names = [...firsts.keys()];
  const lacking = names.filter((name) => instances.some((instance) => !Object.hasOwn(instance, name)));
  if (lacking.length > 0) {
    const isInAll = (name: string) => !instances.some((instance) => Object.hasOwn(instance, name));
    const inSome = lacking.filter((name) => !isInAll(name));
    const firstWithout = (name: string) => instances.findIndex((instance) => !Object.hasOwn(instance, name));
    return missingInputs(
      lacking.filter(isInAll),
      new Map(inSome.map((name) => [name, firstWithout(name)])),
      lacking.map((name) => firsts.get(name)!.lookAlike),
    );
  }
  const each = names.map((name) => {
    const { detail, instance } = firsts.get(name)!;
    return `${name} ${detail} (row ${instance})`;
  });
  return invalidValue(
    `Inputs ${pythonList(names)} have values that cannot be converted: ${each.join('; ')}. Rows are counted from 0.`,
  );
}

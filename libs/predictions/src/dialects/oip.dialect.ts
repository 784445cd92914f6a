import { Problem } from '#libs/errors';
import {
  formatNumber,
  type Column,
  type ElementType,
  type Features,
  type InputTensor,
  type Manifest,
  type Model,
  type Prediction,
} from '#libs/inference';
import { parsePythonJsonBody } from '../json-body.js';
import {
  areIntegers,
  columnOf,
  gistOfProbabilities,
  isObject,
  refuseTooManyRows,
  type BadValue,
  type Dialect,
  type Gist,
  type Question,
} from './dialect.js';
import { describe, readTensors, withBinaryData, type Tensor } from './oip-tensors.js';

const DATATYPE_OF: Record<ElementType, string> = {
  float32: 'FP32',
  float64: 'FP64',
  int64: 'INT64',
  int32: 'INT32',
  bool: 'BOOL',
  string: 'BYTES',
};

/** Before the binary data, where a body has some, there are so many bytes of JSON. */
const JSON_LENGTH = 'inference-header-content-length';

/**
 * The Open Inference Protocol, version 2: tensors in, in JSON or as binary data after it, and tensors out, in JSON.
 * https://github.com/kserve/open-inference-protocol
 */
export const oipDialect: Dialect = {
  name: 'oip',
  mediaTypes: 'application/json, or as application/octet-stream with Inference-Header-Content-Length',
  problemType: 'application/json; charset=utf-8',

  /** Triton's client declares nothing. */
  accepts(contentType = 'application/json'): boolean {
    return /^application\/(json|octet-stream)\s*(;|$)/i.test(contentType);
  },

  parse(body, { [JSON_LENGTH]: given }): unknown {
    if (given === undefined) return parsePythonJsonBody(body);
    const length = /^\d+$/.test(String(given)) ? Number(given) : Infinity;
    if (length > body.length) {
      throw Problem.badRequest('Inference-Header-Content-Length must be the length of the JSON in the body.');
    }
    return withBinaryData(parsePythonJsonBody(body.subarray(0, length)), body.subarray(length));
  },

  read(input: unknown, model: Model): Question {
    if (!isObject(input)) throw Problem.badRequest('The body must be a JSON object with "inputs".');
    const { id, inputs, outputs } = input;
    if (id !== undefined && typeof id !== 'string') throw Problem.badRequest('"id" must be a string.');
    const wanted = readOutputs(outputs, outputsOf(model.manifest));
    const tensors = readTensors(inputs);
    refuseTooManyRows(tensors[0]?.shape[0] ?? 0);
    const all = tensorOfAll(tensors, model);
    return {
      instances: all ? rowsOf(all, model.columns) : rowsOfColumns(tensors, model),
      refuse: (errors) => refuse(errors, model.columns, all),
      write: (predictions, { name, version, manifest }) => {
        const head = JSON.stringify({ model_name: name, model_version: version, id });
        const written = wanted.map((output) => writeOutput(output, predictions, manifest));
        return `${head.slice(0, -1)},"outputs":[${written.join(',')}]}`;
      },
    };
  },

  writeProblem: ({ message }: Problem): string => JSON.stringify({ error: message }),

  recall(output: unknown, manifest: Manifest): Gist[] {
    const { outputs } = output as { outputs: { name: string; shape: number[]; data: (number | string)[] }[] };
    const [first] = outputs;
    const data = new Map(outputs.map((each) => [each.name, each.data]));
    const [labels, values] = [data.get('label'), data.get('prediction')];
    const probabilities = data.get('probabilities') as number[] | undefined;
    return Array.from({ length: first!.shape[0]! }, (_, row) => {
      if (values) return { number: Number(values[row]) };
      const label = labels && String(labels[row]);
      if (!probabilities) return { label };
      const classes = manifest.task === 'regression' ? 0 : manifest.labels.length;
      return gistOfProbabilities(probabilities.slice(row * classes, (row + 1) * classes), manifest, label);
    });
  },
};

/** What a model takes and answers, as the protocol says it; −1 is the number of rows. */
export function oipMetadata({ name, inputs, manifest }: Model, versions: readonly string[]): object {
  return {
    name,
    versions,
    platform: 'onnx_onnxv1',
    inputs: inputs.map(({ name, elementType, shape }) => ({
      name,
      datatype: DATATYPE_OF[elementType],
      shape,
    })),
    outputs: outputsOf(manifest),
  };
}

interface Output {
  readonly name: 'label' | 'probabilities' | 'prediction';
  readonly datatype: string;
  readonly shape: readonly number[];
}

function outputsOf(manifest: Manifest): Output[] {
  if (manifest.task === 'regression') return [{ name: 'prediction', datatype: 'FP32', shape: [-1] }];
  const { labels } = manifest;
  return [
    { name: 'label', datatype: areIntegers(labels) ? 'INT64' : 'BYTES', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, labels.length] },
  ];
}

/** Those that are asked for; all of them where none is. */
function readOutputs(wanted: unknown, known: readonly Output[]): readonly Output[] {
  if (wanted === undefined || (Array.isArray(wanted) && wanted.length === 0)) return known;
  const names = Array.isArray(wanted) ? wanted.map((each) => isObject(each) && each.name) : [];
  const found = known.filter(({ name }) => names.includes(name));
  if (names.length > 0 && found.length === names.length) return found;
  const right = known.map(({ name }) => `{"name":"${name}"}`).join(', ');
  throw Problem.badRequest(`"outputs" must be a list of what this model answers: ${right}, each once.`);
}

/** The one tensor of all columns, where the graph takes such a one and the request has it. */
function tensorOfAll(tensors: readonly Tensor[], { inputs, columns }: Model): Tensor | undefined {
  const [input] = inputs;
  if (input!.shape[1] !== columns.length || inputs.length !== 1) return undefined;
  const isColumn = columns.some(({ name }) => name === input!.name);
  const all = tensors.find(
    ({ name, shape }) => name === input!.name && (!isColumn || shape[1] === columns.length),
  );
  if (!all || (isColumn && columns.length === 1)) return undefined;
  if (tensors.length > 1) {
    throw Problem.badRequest(
      `${describe(all.name)} holds all columns: send it alone, or a tensor for each column.`,
    );
  }
  if (all.shape.length === 2 && all.shape[1] === columns.length) return all;
  throw Problem.badRequest(`${describe(all.name)} must have the shape [n, ${columns.length}].`);
}

function rowsOf({ shape, elements }: Tensor, columns: readonly Column[]): Features[] {
  return Array.from({ length: shape[0]! }, (_, row) =>
    Object.fromEntries(columns.map(({ name }, column) => [name, elements[row * columns.length + column]])),
  );
}

function rowsOfColumns(tensors: readonly Tensor[], { columns, inputs }: Model): Features[] {
  const absent = columns.filter(
    ({ name, required, default: value }) =>
      required && value === undefined && !tensors.some((tensor) => tensor.name === name),
  );
  if (absent.length > 0) {
    const names = absent.map(({ name }) => JSON.stringify(name)).join(', ');
    throw Problem.badRequest(`The inputs lack ${names}. The model takes ${describeInputs(inputs, columns)}.`);
  }
  const [first] = tensors;
  const count = first?.shape[0] ?? 0;
  for (const { name, shape } of tensors) {
    if (shape.length > 2 || (shape.length === 2 && shape[1] !== 1)) {
      throw Problem.badRequest(`${describe(name)} is of one column: its shape must be [n] or [n, 1].`);
    }
    if (shape[0] === count) continue;
    throw Problem.badRequest(
      `${describe(name)} has ${shape[0]} rows, and ${describe(first!.name)} has ${count}.`,
    );
  }
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(tensors.map(({ name, elements }) => [name, elements[row]])),
  );
}

function describeInputs(inputs: readonly InputTensor[], columns: readonly Column[]): string {
  const [input] = inputs;
  const each = 'a tensor [n] or [n, 1] for each column, named like it';
  if (input!.shape[1] !== columns.length || columns.length === 1) return each;
  return `one tensor ${JSON.stringify(input!.name)} [n, ${columns.length}], or ${each}`;
}

/** Of each column the first value that is bad. */
function refuse(errors: readonly BadValue[], columns: readonly Column[], all: Tensor | undefined): Problem {
  const firsts = new Map<string, BadValue>();
  for (const error of errors) if (!firsts.has(columnOf(error))) firsts.set(columnOf(error), error);
  const each = [...firsts].map(([name, { instance, detail }]) => {
    if (!all) return `${describe(name)}, row ${instance}: ${detail}`;
    const column = columns.findIndex((each) => each.name === name);
    return `${describe(all.name)}, row ${instance}, column ${column} (${name}): ${detail}`;
  });
  return Problem.badRequest(`${each.join('; ')}. Rows and columns are counted from 0.`);
}

function writeOutput(
  { name, datatype, shape: [, ...inner] }: Output,
  predictions: readonly Prediction[],
  manifest: Manifest,
): string {
  const hasIntegers = manifest.task !== 'regression' && areIntegers(manifest.labels);
  const data = predictions.map((each) => {
    if ('value' in each) return formatNumber(each.value);
    if (name === 'probabilities') return each.probabilities.map(formatNumber).join(',');
    return hasIntegers ? each.label : JSON.stringify(each.label);
  });
  const head = JSON.stringify({ name, shape: [predictions.length, ...inner], datatype });
  return `${head.slice(0, -1)},"data":[${data.join(',')}]}`;
}

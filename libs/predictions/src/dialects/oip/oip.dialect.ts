import { Problem, type ProblemForm } from '#libs/errors';
import {
  requiredNames,
  type Column,
  type Features,
  type InputTensor,
  type Manifest,
  type Model,
} from '#libs/inference';
import { isObject, parsePythonJsonBody, record, STRING } from '#libs/json';
import { firstOfEachColumn } from '../bad-values.js';
import { isColumnOf, lookAlikesOf, tellLookAlikes } from '../column-names.js';
import type { BadValue, Dialect, Question } from '../dialect.js';
import type { Gist } from '../gist.js';
import { MAX_ROWS, maxValuesPerRow } from '../row-limits.js';
import { Allowance } from '../excess.js';
import { modelVersion, servedModel } from '../route.js';
import { oipDocument } from './document.js';
import { readOutputs, recallOutputs, writeOutput } from './outputs.js';
import { describe, readTensors, rowsIn, withBinaryData, type Tensor } from './tensors.js';

const MAX_ID_LENGTH = 1024;

/** How many bytes of JSON come before the binary data, in a body that has some. */
const JSON_LENGTH = 'inference-header-content-length';

const problems: ProblemForm = {
  contentType: 'application/json; charset=utf-8',
  write: ({ message }) => JSON.stringify({ error: message }),
  schema: { name: 'OpenInferenceError', schema: record({ error: STRING }) },
};

/**
 * The Open Inference Protocol, version 2: tensors in, in JSON or as binary data after it, and tensors out, in JSON.
 * https://github.com/kserve/open-inference-protocol
 */
export const oipDialect: Dialect = {
  name: 'oip',
  paths: /^\/v2(\/|$)/,
  // The protocol's document writes this path both ways.
  spellings: { '/v2/': '/v2' },
  problems,
  routes: [
    {
      path: 'v2/models/:name/infer',
      operationId: 'infer',
      summary: 'Infer with the served version of a model',
      modelOf: servedModel,
    },
    {
      path: 'v2/models/:name/versions/:version/infer',
      operationId: 'inferWithVersion',
      summary: 'Infer with one version of a model',
      modelOf: modelVersion,
    },
  ],
  document: oipDocument,
  mediaTypes: 'application/json, or as application/octet-stream with Inference-Header-Content-Length',

  /** Triton's client sends no Content-Type. */
  accepts(contentType = 'application/json'): boolean {
    return /^application\/(json|octet-stream)\s*(;|$)/i.test(contentType);
  },

  parse(body, { [JSON_LENGTH]: given }, { columns }): unknown {
    const limit = {
      values: maxValuesPerRow(columns),
      elements: MAX_ROWS * Math.max(2, columns.length),
      rowsIn,
    };
    if (given === undefined) return parsePythonJsonBody(body, limit);
    const length = /^\d+$/.test(String(given)) ? Number(given) : Infinity;
    if (length > body.length) {
      throw Problem.badRequest('Inference-Header-Content-Length must be the length of the JSON in the body.');
    }
    return withBinaryData(parsePythonJsonBody(body.subarray(0, length), limit), body.subarray(length));
  },

  read(input: unknown, model: Model): Question {
    if (!isObject(input)) throw Problem.badRequest('The body must be a JSON object with "inputs".');
    const { inputs, outputs } = input;
    const id = readId(input.id);
    const wanted = readOutputs(outputs, model.manifest);
    const tensors = readTensors(inputs);
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

  abridge(input, { inputs, columns }, leftOut) {
    const body = input as Features & { inputs: Features[] };
    const isColumn = isColumnOf(columns);
    const isTaken = (name: unknown) => isColumn(String(name)) || name === inputs[0]!.name;
    const rows = new Allowance(leftOut, rowsIn(body));
    const around = new Allowance(leftOut);
    const isOfTensor = (name: string) => ['name', 'shape', 'datatype', 'data'].includes(name);
    const tensors = body.inputs
      .filter((tensor) => isTaken(tensor.name) || rows.admits(String(tensor.name), tensor))
      .map((tensor) => around.membersOf(tensor, isOfTensor));
    return around.membersOf({ ...body, inputs: tensors }, (name) => name === 'inputs');
  },

  recall(output: unknown, manifest: Manifest): Gist[] {
    return recallOutputs((output as { outputs: Parameters<typeof recallOutputs>[0] }).outputs, manifest);
  },
};

/** The answer echoes it. */
function readId(id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined;
  if (typeof id === 'string' && id.length <= MAX_ID_LENGTH) return id;
  throw Problem.badRequest(`"id" must be a string of at most ${MAX_ID_LENGTH} characters.`);
}

/** The tensor of all columns, if the graph takes one and the request has it. */
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
  const absent = requiredNames(columns).filter((name) => !tensors.some((tensor) => tensor.name === name));
  if (absent.length > 0) {
    const names = absent.map((name) => JSON.stringify(name)).join(', ');
    const lookAlikes = lookAlikesOf(
      tensors.map(({ name }) => name),
      columns,
    );
    const meant = tellLookAlikes(absent.map((name) => lookAlikes.tell(name)));
    throw Problem.badRequest(
      `The inputs lack ${names}. The model takes ${describeInputs(inputs, columns)}.${meant}`,
    );
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

/** Names the first bad value of each column. */
function refuse(errors: readonly BadValue[], columns: readonly Column[], all: Tensor | undefined): Problem {
  const firsts = firstOfEachColumn(errors);
  const each = [...firsts].map(([name, { instance, detail }]) => {
    if (!all) return `${describe(name)}, row ${instance}: ${detail}`;
    const column = columns.findIndex((each) => each.name === name);
    return `${describe(all.name)}, row ${instance}, column ${column} (${name}): ${detail}`;
  });
  return Problem.badRequest(`${each.join('; ')}. Rows and columns are counted from 0.`);
}

import { Problem } from '#libs/errors';
import { isObject } from '#libs/json';
import { quoted, repeatedIn } from '../column-names.js';
import { MAX_ROWS, refuseTooManyRows } from '../row-limits.js';
import { DATATYPES, type Datatype, type Element } from './datatypes.js';

/** One of a request's inputs, as JSON has it. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Row after row. */
  readonly elements: readonly Element[];
}

/** No model takes more than two; more would only be work. */
const MAX_DIMENSIONS = 8;

/** How many rows the tensors of a request say they have. */
export function rowsIn(request: unknown): number {
  const inputs: unknown = isObject(request) && request.inputs;
  if (!Array.isArray(inputs) || !isObject(inputs[0]) || !Array.isArray(inputs[0].shape)) return 1;
  const rows = Number(inputs[0].shape[0]);
  return rows >= 1 ? Math.min(rows, MAX_ROWS) : 1;
}

/** The inputs of a request. @throws Problem `bad-request` naming the tensor */
export function readTensors(inputs: unknown): Tensor[] {
  const tensors = listOf(inputs).map((input) => {
    const { name, datatype, described } = readHead(input);
    refuseSharedMemory(input, described);
    const shape = readShape(input.shape, described);
    refuseTooManyRows(shape[0]!);
    const elements = readElements(input.data, shape, described);
    if (!elements.every((element) => element === null || datatype.fits(element))) {
      throw Problem.badRequest(
        `${described}: "data" must hold ${datatype.what}, as its datatype is ${String(input.datatype)}, or null.`,
      );
    }
    return { name, shape, elements: elements as Element[] };
  });
  const repeated = repeatedIn(tensors.map(({ name }) => name));
  if (repeated !== undefined) throw Problem.badRequest(`${describe(repeated)} is there twice.`);
  return tensors;
}

/**
 * A request with the tensors that follow its JSON as binary data set in as `data`, as if they had come in JSON.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
 * @throws Problem `bad-request` naming the tensor
 */
export function withBinaryData(request: unknown, binary: Buffer): unknown {
  if (!isObject(request)) return request;
  let offset = 0;
  const inputs = listOf(request.inputs).map((input) => {
    const { binary_data_size: size, ...parameters } = isObject(input.parameters) ? input.parameters : {};
    if (size === undefined) return input;
    const { datatype, described } = readHead(input);
    if (!Number.isSafeInteger(size) || Number(size) < 0 || offset + Number(size) > binary.length) {
      throw Problem.badRequest(`${described}: "binary_data_size" is not what follows the JSON.`);
    }
    const data = decode(binary.subarray(offset, offset + Number(size)), datatype, described);
    offset += Number(size);
    return { ...input, parameters, data };
  });
  if (offset < binary.length) {
    throw Problem.badRequest(
      `${binary.length - offset} bytes follow the JSON that no "binary_data_size" accounts for.`,
    );
  }
  return { ...request, inputs };
}

export function describe(name: string): string {
  return `Tensor ${quoted(name)}`;
}

function listOf(inputs: unknown): Record<string, unknown>[] {
  if (Array.isArray(inputs) && inputs.every(isObject)) return inputs;
  throw Problem.badRequest('"inputs" must be a list of tensors, each an object.');
}

function readHead({ name, datatype: named }: Record<string, unknown>) {
  if (typeof name !== 'string') throw Problem.badRequest('Each of "inputs" must have a "name", a string.');
  const described = describe(name);
  const datatype = DATATYPES.get(String(named));
  if (datatype) return { name, datatype, described };
  throw Problem.badRequest(`${described}: "datatype" must be one of ${[...DATATYPES.keys()].join(', ')}.`);
}

function refuseSharedMemory({ parameters }: Record<string, unknown>, described: string): void {
  const { shared_memory_region: region } = isObject(parameters) ? parameters : {};
  if (region === undefined || region === null) return;
  throw Problem.badRequest(
    `${described}: "shared_memory_region" is not supported. Send its data with the request.`,
  );
}

function readShape(shape: unknown, described: string): readonly number[] {
  const isSize = (size: unknown) => Number.isSafeInteger(size) && Number(size) >= 0;
  const isShape = Array.isArray(shape) && shape.length > 0 && shape.length <= MAX_DIMENSIONS;
  if (isShape && shape.every(isSize)) return shape as number[];
  throw Problem.badRequest(
    `${described}: "shape" must be a list of at most ${MAX_DIMENSIONS} sizes, such as [1, 8].`,
  );
}

/** Flat, or nested as the shape is. */
function readElements(data: unknown, shape: readonly number[], described: string): unknown[] {
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Array.isArray(data)) throw Problem.badRequest(`${described}: "data" must be a list.`);
  const elements = data.some(Array.isArray) ? flatten(data, shape) : data;
  if (elements?.length === count) return elements;
  throw Problem.badRequest(`${described}: "data" does not have the shape [${shape.join(', ')}].`);
}

/** Undefined if it is nested in another way. */
function flatten(data: unknown, [size, ...inner]: readonly number[]): unknown[] | undefined {
  if (!Array.isArray(data) || data.length !== size) return undefined;
  if (inner.length === 0) return data.some(Array.isArray) ? undefined : data;
  const parts = data.map((part) => flatten(part, inner));
  return parts.includes(undefined) ? undefined : parts.flat();
}

function decode(bytes: Buffer, { size, decode }: Datatype, described: string): Element[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Element[] = [];
  try {
    for (let offset = 0; offset < bytes.length;) {
      const length = size ?? 4 + view.getUint32(offset, true);
      if (offset + length > bytes.length) throw new RangeError('it ends within an element');
      elements.push(decode(view, offset));
      offset += length;
    }
  } catch {
    const right =
      size === undefined ? 'UTF-8 texts, each after its length in four bytes' : `elements of ${size} bytes`;
    throw Problem.badRequest(`${described}: its binary data must be ${right}.`);
  }
  return elements;
}

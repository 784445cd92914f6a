import ort from 'onnxruntime-node';
import type { Manifest } from './artifact-schemas.js';
import type { Column } from './input-schema.js';
import type { ElementType, InputTensor } from './row.js';

/**
 * Converts between rows and tensors, as worked out once from what the graph declares. Both ways in which scikit-learn's
 * and XGBoost's converters write a graph are supported: one numeric tensor `[n, columns]`, or by name one `[n, 1]` per
 * column. Whatever does not fit is an error that says what was expected and what was found.
 */

const ELEMENT_TYPES: readonly string[] = ['float32', 'float64', 'int64', 'int32', 'bool', 'string'];

export interface InputLayout {
  /** The type of each column's values, in the schema's order. */
  readonly elementTypes: readonly ElementType[];
  readonly tensors: readonly InputTensor[];
  /** Room for this many rows. */
  allocate(rows: number): InputRows;
}

/** Rows on their way into tensors. */
export interface InputRows {
  set(row: number, column: number, value: number | string): void;
  /** Where the numbers of a column are; undefined if they are no numbers of JavaScript. */
  numbers(column: number): NumberPlaces | undefined;
  /** Copies one row over another. */
  copy(from: number, to: number): void;
  /** The tensor of the rows from `start` up to `end`. */
  feeds(start: number, end: number): Record<string, ort.Tensor>;
}

/** A column's numbers lie in an array, each so many places after the one before. */
export interface NumberPlaces {
  readonly array: NumberArray;
  readonly first: number;
  readonly step: number;
}

type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export interface OutputLayout {
  readonly fetches: readonly string[];
  /** The type of its numbers. */
  readonly numberType: 'float32' | 'float64';
  /** For two classes: the output that holds the graph's own choice; it is not fetched. */
  readonly ownLabel?: string;
  /** @throws Error for a label that the manifest does not have */
  read(results: ort.InferenceSession.ReturnType, rows: number): Outputs;
}

/** What a run returned, row by row: for a regression its values, for a classifier what it chose and why. */
export type Outputs =
  | { readonly values: ArrayLike<number> }
  | {
      /** The index of a label in the manifest, one per row. */
      readonly chosen: ArrayLike<number>;
      /** As many per row as there are labels. */
      readonly probabilities: ArrayLike<number>;
    };

type Metadata = ort.InferenceSession.ValueMetadata;
type TensorMetadata = Extract<Metadata, { isTensor: true }>;

/** @throws Error */
export function layOutInputs(inputs: readonly Metadata[], columns: readonly Column[]): InputLayout {
  const [only] = inputs;
  if (inputs.length === 1 && only?.isTensor && only.shape.length === 2 && only.shape[1] === columns.length) {
    if (columns.length > 1 || only.name !== columns[0]?.name) return oneTensor(only, columns);
  }
  return tensorPerColumn(inputs, columns);
}

function oneTensor(input: TensorMetadata, columns: readonly Column[]): InputLayout {
  const type = elementType(input);
  const categorical = columns.find((column) => column.type === 'categorical');
  if (categorical) {
    throw new Error(
      `column ${categorical.name} is categorical, and the graph's one input is ${describe(input)}`,
    );
  }
  checkMissing(columns, type);
  const width = columns.length;
  return {
    elementTypes: columns.map(() => type),
    tensors: [{ name: input.name, elementType: type, shape: [-1, width] }],
    allocate: (rows) => {
      const cells = allocateCells(type, rows * width);
      return {
        set: (row, column, value) => cells.set(row * width + column, value),
        numbers: (column) => cells.numbers && { array: cells.numbers, first: column, step: width },
        copy: (from, to) => cells.copy(from * width, to * width, width),
        feeds: (start, end) => ({
          [input.name]: cells.tensor(start * width, end * width, [end - start, width]),
        }),
      };
    },
  };
}

function tensorPerColumn(inputs: readonly Metadata[], columns: readonly Column[]): InputLayout {
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const unknown = inputs.filter(({ name }) => !columns.some((column) => column.name === name));
  const absent = columns.filter(({ name }) => !byName.has(name));
  if (unknown.length > 0 || absent.length > 0) {
    throw new Error(
      `input_schema.json has ${columns.length} columns, so the graph should have one input ` +
        `[-1,${columns.length}] or one input [-1,1] for each, with its name; it has ${inputs.map(describe).join(', ')}`,
    );
  }
  const elementTypes = columns.map((column) => {
    const input = byName.get(column.name)!;
    const type = elementType(input);
    if ((type === 'string') !== (column.type === 'categorical')) {
      throw new Error(`column ${column.name} is ${column.type}, and the graph's input is ${describe(input)}`);
    }
    checkMissing([column], type);
    return type;
  });
  const ranks = columns.map(({ name }) => (byName.get(name) as TensorMetadata).shape.length);
  return {
    elementTypes,
    tensors: columns.map(({ name }, index) => ({
      name,
      elementType: elementTypes[index]!,
      shape: ranks[index] === 1 ? [-1] : [-1, 1],
    })),
    allocate: (rows) => {
      const cells = elementTypes.map((type) => allocateCells(type, rows));
      return {
        set: (row, column, value) => cells[column]!.set(row, value),
        numbers: (column) => {
          const array = cells[column]!.numbers;
          return array && { array, first: 0, step: 1 };
        },
        copy: (from, to) => cells.forEach((column) => column.copy(from, to, 1)),
        feeds: (start, end) =>
          Object.fromEntries(
            columns.map(({ name }, index) => {
              const shape = ranks[index] === 1 ? [end - start] : [end - start, 1];
              return [name, cells[index]!.tensor(start, end, shape)];
            }),
          ),
      };
    },
  };
}

/** Whole numbers and booleans have no missing value. */
function checkMissing(columns: readonly Column[], type: ElementType): void {
  if (type === 'float32' || type === 'float64' || type === 'string') return;
  const canMiss = columns.find(
    ({ nullable, required, default: value }) => nullable || (!required && value === undefined),
  );
  if (!canMiss) return;
  throw new Error(
    `column ${canMiss.name} may be missing, and the graph takes ${type}, which has no missing value`,
  );
}

/** The values of one tensor. */
interface Cells {
  /** Unless they are something else. */
  readonly numbers?: NumberArray;
  set(index: number, value: number | string): void;
  copy(from: number, to: number, size: number): void;
  tensor(start: number, end: number, shape: number[]): ort.Tensor;
}

function allocateCells(type: ElementType, size: number): Cells {
  switch (type) {
    case 'string': {
      const values = new Array<string>(size);
      return {
        set: (index, value) => (values[index] = value as string),
        copy: (from, to, size) => values.copyWithin(to, from, from + size),
        tensor: (start, end, shape) => new ort.Tensor('string', values.slice(start, end), shape),
      };
    }
    case 'int64': {
      const values = new BigInt64Array(size);
      return {
        set: (index, value) => (values[index] = BigInt(value)),
        copy: (from, to, size) => values.copyWithin(to, from, from + size),
        tensor: (start, end, shape) => new ort.Tensor('int64', values.subarray(start, end), shape),
      };
    }
    default: {
      const values: NumberArray = new ARRAYS[type](size);
      return {
        numbers: values,
        set: (index, value) => (values[index] = value as number),
        copy: (from, to, size) => values.copyWithin(to, from, from + size),
        tensor: (start, end, shape) => new ort.Tensor(type, values.subarray(start, end), shape),
      };
    }
  }
}

const ARRAYS = { float32: Float32Array, float64: Float64Array, int32: Int32Array, bool: Uint8Array };

/** @throws Error */
export function layOutOutputs(outputs: readonly Metadata[], manifest: Manifest): OutputLayout {
  return manifest.task === 'regression' ? valueOutput(outputs) : classOutputs(outputs, manifest);
}

function valueOutput(outputs: readonly Metadata[]): OutputLayout {
  const found = outputs.filter(
    (output) => isFloat(output) && (output.shape.length === 1 || output.shape[1] === 1),
  );
  if (found.length !== 1) {
    throw new Error(
      `a regression's graph should have one output float32[-1,1]; it has ${outputs.map(describe).join(', ')}`,
    );
  }
  const { name, type } = found[0]! as TensorMetadata;
  return {
    fetches: [name],
    numberType: type as 'float32' | 'float64',
    read: (results) => ({ values: results[name]!.data as Float32Array }),
  };
}

function classOutputs(
  outputs: readonly Metadata[],
  manifest: Exclude<Manifest, { task: 'regression' }>,
): OutputLayout {
  const { labels } = manifest;
  const zipMap = outputs.find((output) => !output.isTensor);
  if (zipMap) {
    throw new Error(
      `its output ${zipMap.name} is a ZipMap, a sequence of dictionaries. Export the model without it: ` +
        `to_onnx(model, …, options={"zipmap": False}) with skl2onnx, convert_…(…, zipmap=False) with onnxmltools`,
    );
  }
  const probabilities = outputs.find((output) => isFloat(output) && output.shape.length === 2);
  const columns = (probabilities as TensorMetadata | undefined)?.shape[1];
  if (!probabilities || (typeof columns === 'number' && columns > 0 && columns !== labels.length)) {
    throw new Error(
      `with ${labels.length} labels the graph should have an output of probabilities ` +
        `float32[-1,${labels.length}]; it has ${outputs.map(describe).join(', ')}`,
    );
  }
  const width = labels.length;
  const numberType = (probabilities as TensorMetadata).type as 'float32' | 'float64';
  const label = outputs.find((output) => output.isTensor && /^(int64|string)$/.test(output.type));
  if (manifest.task === 'binary_classification') {
    const { threshold } = manifest;
    return {
      fetches: [probabilities.name],
      numberType,
      ownLabel: label?.name,
      read: (results, rows) => {
        const data = results[probabilities.name]!.data as Float32Array;
        const chosen = new Uint8Array(rows);
        for (let row = 0; row < rows; row++) chosen[row] = data[row * width + 1]! > threshold ? 1 : 0;
        return { chosen, probabilities: data };
      },
    };
  }
  if (!label) {
    throw new Error(
      `the graph should have an output of labels, int64[-1] or string[-1]; it has ${outputs.map(describe).join(', ')}`,
    );
  }
  const indices = new Map(labels.map((name, index) => [name, index]));
  return {
    fetches: [label.name, probabilities.name],
    numberType,
    read: (results, rows) => {
      const named = results[label.name]!.data as ArrayLike<bigint | string>;
      const indexOf = (row: number) => {
        const name = String(named[row]);
        const index = indices.get(name);
        if (index !== undefined) return index;
        throw new Error(`its label ${name} is not one of the manifest's: ${labels.join(', ')}`);
      };
      return {
        chosen: Uint32Array.from({ length: rows }, (_, row) => indexOf(row)),
        probabilities: results[probabilities.name]!.data as Float32Array,
      };
    },
  };
}

function isFloat(output: Metadata): output is TensorMetadata {
  return output.isTensor && (output.type === 'float32' || output.type === 'float64');
}

function elementType(input: Metadata): ElementType {
  if (input.isTensor && ELEMENT_TYPES.includes(input.type)) return input.type as ElementType;
  throw new Error(`its input ${describe(input)} has a type that no column can have`);
}

function describe(value: Metadata): string {
  if (!value.isTensor) return `${value.name} (no tensor)`;
  return `${value.name} ${value.type}[${value.shape.map((size) => (size === '' ? -1 : size)).join(',')}]`;
}

import ort from 'onnxruntime-node';
import type { Manifest } from './artifact.js';
import type { Column } from './input-schema.js';
import type { Prediction } from './prediction.js';
import type { ElementType, Row } from './row.js';

/**
 * Between rows and tensors, worked out once from what the graph declares. Both ways that the converters of scikit-learn
 * and XGBoost write a graph are understood: one numeric tensor `[n, columns]`, or one tensor `[n, 1]` a column, by name.
 * Whatever does not fit is an error that says what was expected and what was found.
 */

const ELEMENT_TYPES: readonly string[] = ['float32', 'float64', 'int64', 'int32', 'bool', 'string'];

export interface InputLayout {
  /** What each column's values become, in the schema's order. */
  readonly elementTypes: readonly ElementType[];
  feeds(rows: readonly Row[]): Record<string, ort.Tensor>;
}

export interface OutputLayout {
  readonly fetches: readonly string[];
  read(results: ort.InferenceSession.ReturnType, count: number): Prediction[];
}

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
  return {
    elementTypes: columns.map(() => type),
    feeds: (rows) => ({ [input.name]: makeTensor(type, rows.flat(), [rows.length, columns.length]) }),
  };
}

function tensorPerColumn(inputs: readonly Metadata[], columns: readonly Column[]): InputLayout {
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const unknown = inputs.filter(({ name }) => !columns.some((column) => column.name === name));
  const absent = columns.filter(({ name }) => !byName.has(name));
  if (unknown.length > 0 || absent.length > 0) {
    throw new Error(
      `input_schema.json has ${columns.length} columns, so that the graph should have one input ` +
        `[-1,${columns.length}] or one input [-1,1] for each, named like it; it has ${inputs.map(describe).join(', ')}`,
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
    feeds: (rows) =>
      Object.fromEntries(
        columns.map(({ name }, index) => {
          const values = rows.map((row) => row[index]!);
          const shape = ranks[index] === 1 ? [rows.length] : [rows.length, 1];
          return [name, makeTensor(elementTypes[index]!, values, shape)];
        }),
      ),
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

function makeTensor(type: ElementType, values: (number | string)[], shape: number[]): ort.Tensor {
  switch (type) {
    case 'string':
      return new ort.Tensor('string', values as string[], shape);
    case 'float32':
      return new ort.Tensor('float32', new Float32Array(values as number[]), shape);
    case 'float64':
      return new ort.Tensor('float64', new Float64Array(values as number[]), shape);
    case 'int32':
      return new ort.Tensor('int32', new Int32Array(values as number[]), shape);
    case 'int64':
      return new ort.Tensor('int64', BigInt64Array.from(values as number[], BigInt), shape);
    case 'bool':
      return new ort.Tensor('bool', new Uint8Array(values as number[]), shape);
  }
}

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
  const { name } = found[0]!;
  return {
    fetches: [name],
    read: (results) => Array.from(results[name]!.data as Float32Array, (value) => ({ value })),
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
  const rows = (results: ort.InferenceSession.ReturnType, count: number) => {
    const data = results[probabilities.name]!.data as Float32Array;
    return Array.from({ length: count }, (_, row) =>
      Array.from(data.subarray(row * labels.length, (row + 1) * labels.length)),
    );
  };
  if (manifest.task === 'binary_classification') {
    const [negative, positive] = labels as [string, string];
    return {
      fetches: [probabilities.name],
      read: (results, count) =>
        rows(results, count).map((each) => ({
          label: each[1]! > manifest.threshold ? positive : negative,
          probabilities: each,
        })),
    };
  }
  const label = outputs.find((output) => output.isTensor && /^(int64|string)$/.test(output.type));
  if (!label) {
    throw new Error(
      `the graph should have an output of labels, int64[-1] or string[-1]; it has ${outputs.map(describe).join(', ')}`,
    );
  }
  return {
    fetches: [label.name, probabilities.name],
    read: (results, count) => {
      const chosen = results[label.name]!.data as ArrayLike<bigint | string>;
      return rows(results, count).map((probabilitiesOfRow, row) => {
        const name = String(chosen[row]);
        if (labels.includes(name)) return { label: name, probabilities: probabilitiesOfRow };
        throw new Error(`its label ${name} is none of the manifest's: ${labels.join(', ')}`);
      });
    },
  };
}

function isFloat(output: Metadata): output is TensorMetadata {
  return output.isTensor && (output.type === 'float32' || output.type === 'float64');
}

function elementType(input: Metadata): ElementType {
  if (input.isTensor && ELEMENT_TYPES.includes(input.type)) return input.type as ElementType;
  throw new Error(`its input ${describe(input)} is of a type that no column can be`);
}

function describe(value: Metadata): string {
  if (!value.isTensor) return `${value.name} (no tensor)`;
  return `${value.name} ${value.type}[${value.shape.map((size) => (size === '' ? -1 : size)).join(',')}]`;
}

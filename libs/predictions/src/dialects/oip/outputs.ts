import { Problem } from '#libs/errors';
import { formatNumber, type Manifest, type Prediction } from '#libs/inference';
import { isObject } from '#libs/json';
import { gistOfProbabilities, type Gist } from '../gist.js';
import { areIntegers } from '../labels.js';

export interface Output {
  readonly name: 'label' | 'probabilities' | 'prediction';
  readonly datatype: string;
  /** -1 is the number of rows. */
  readonly shape: readonly number[];
}

export interface WantedOutput extends Output {
  /** How many of the highest classes, each as text, instead of all probabilities. */
  readonly classes?: number;
}

/** What a model answers. */
export function outputsOf(manifest: Manifest): Output[] {
  if (manifest.task === 'regression') return [{ name: 'prediction', datatype: 'FP32', shape: [-1] }];
  const { labels } = manifest;
  return [
    { name: 'label', datatype: areIntegers(labels) ? 'INT64' : 'BYTES', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, labels.length] },
  ];
}

/** Those that are asked for, or all if none is named. @throws Problem `bad-request` naming the output */
export function readOutputs(wanted: unknown, manifest: Manifest): readonly WantedOutput[] {
  const known = outputsOf(manifest);
  if (wanted === undefined || wanted === null || (Array.isArray(wanted) && wanted.length === 0)) return known;
  const asked = new Map(
    Array.isArray(wanted) ? wanted.map((each) => [isObject(each) && each.name, each as unknown]) : [],
  );
  const found = known.filter(({ name }) => asked.has(name));
  if (found.length === 0 || found.length !== (wanted as unknown[]).length) {
    const right = known.map(({ name }) => `{"name":"${name}"}`).join(', ');
    throw Problem.badRequest(`"outputs" must be a list of what this model answers: ${right}, each once.`);
  }
  return found.map((output) => ({ ...output, classes: readClasses(asked.get(output.name), output) }));
}

/**
 * What Triton calls classification; other parameters are ignored.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
 */
function readClasses(asked: unknown, { name, shape }: Output): number | undefined {
  const { parameters } = asked as { parameters?: unknown };
  if (!isObject(parameters)) return undefined;
  const refuse = (why: string) => Problem.badRequest(`Output "${name}": ${why}.`);
  if (parameters.shared_memory_region !== undefined && parameters.shared_memory_region !== null) {
    throw refuse('"shared_memory_region" is not supported');
  }
  const { classification } = parameters;
  if (classification === undefined || classification === null || classification === 0) return undefined;
  if (!Number.isSafeInteger(classification) || Number(classification) < 0) {
    throw refuse('"classification" must be a whole number of classes');
  }
  if (name !== 'probabilities') throw refuse('"classification" is for "probabilities" alone');
  return Math.min(Number(classification), shape[1]!);
}

export function writeOutput(
  { name, datatype, shape, classes }: WantedOutput,
  predictions: readonly Prediction[],
  manifest: Manifest,
): string {
  const hasIntegers = manifest.task !== 'regression' && areIntegers(manifest.labels);
  const data = predictions.map((each) => {
    if ('value' in each) return formatNumber(each.value);
    if (classes !== undefined) return highest(each.probabilities, classes, manifest).map(quote).join(',');
    if (name === 'probabilities') return each.probabilities.map(formatNumber).join(',');
    return hasIntegers ? each.label : JSON.stringify(each.label);
  });
  const inner = classes === undefined ? shape.slice(1) : [classes];
  const head = JSON.stringify({
    name,
    shape: [predictions.length, ...inner],
    datatype: classes === undefined ? datatype : 'BYTES',
  });
  return `${head.slice(0, -1)},"data":[${data.join(',')}]}`;
}

const quote = (text: string) => JSON.stringify(text);

/** `0.9026563:1:dead`: value, index and label, the highest first. */
function highest(probabilities: readonly number[], classes: number, manifest: Manifest): string[] {
  const labels = manifest.task === 'regression' ? [] : manifest.labels;
  return [...probabilities.keys()]
    .toSorted((a, b) => probabilities[b]! - probabilities[a]!)
    .slice(0, classes)
    .map((index) => `${formatNumber(probabilities[index]!)}:${index}:${labels[index]}`);
}

interface WrittenOutput {
  name: string;
  shape: number[];
  data: (number | string)[];
}

/** What written outputs came to, row by row. */
export function recallOutputs(outputs: readonly WrittenOutput[], manifest: Manifest): Gist[] {
  const byName = new Map(outputs.map((each) => [each.name, each]));
  const [labels, values] = [byName.get('label')?.data, byName.get('prediction')?.data];
  const probabilities = byName.get('probabilities');
  return Array.from({ length: outputs[0]!.shape[0]! }, (_, row) => {
    if (values) return { number: Number(values[row]) };
    const label = labels && String(labels[row]);
    const told = probabilities && probabilitiesIn(probabilities, row, manifest);
    return told ? gistOfProbabilities(told, manifest, label) : { label };
  });
}

/** Undefined if a classification did not give those of all classes. */
function probabilitiesIn(
  { shape, data }: WrittenOutput,
  row: number,
  manifest: Manifest,
): number[] | undefined {
  const classes = manifest.task === 'regression' ? 0 : manifest.labels.length;
  const told = shape[1]!;
  if (told < classes) return undefined;
  const ofRow = data.slice(row * told, (row + 1) * told);
  const probabilities = new Array<number>(classes);
  for (const [index, each] of ofRow.entries()) {
    const [value, of = index] = String(each).split(':');
    probabilities[Number(of)] = Number(value);
  }
  return probabilities;
}

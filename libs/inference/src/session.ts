import ort from 'onnxruntime-node';
import type { Golden } from './artifact-schemas.js';
import type { Artifact } from './artifact.js';
import { compileCoercion, type Coerced, type Features } from './coercion.js';
import type { MeasuredRun } from './place.js';
import type { ElementType, InputTensor, Prediction, Row } from './row.js';
import {
  layOutInputs,
  layOutOutputs,
  type InputLayout,
  type InputRows,
  type OutputLayout,
  type Outputs,
} from './tensors.js';

/** The batch sizes that a warm-up tries, and how often it tries each: the first runs of a session take longer. */
const BATCH_SIZES = [1, 4, 16, 64, 256];
const RUNS_PER_SIZE = 3;

/** How many golden values that are not reproduced are named; the first few show what is wrong. */
const ENOUGH_FAILURES = 5;

const NO_GOLDEN_LABELS =
  'golden.json has no labels, so it could not be checked whether the two labels of the manifest are in the right ' +
  'order. Add a "label" to its cases.';

/**
 * A graph that can be run, in whichever thread it was opened. Opening and running block that thread until they are
 * done: ONNX Runtime's promises are synchronous inside. Whatever is wrong with an artifact is an `Error` that says what
 * was expected and what was found.
 *
 * One thread per session: it sums trees in one order, so that a row's answer does not depend on the rows that share its
 * run. (In a linear model the last digits may: its matrix product is computed differently for other batch sizes.)
 */
export class Session {
  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly inputs: InputLayout,
    private readonly outputs: OutputLayout,
    private readonly coerce: (features: Features) => Coerced,
    private readonly labels: readonly string[],
  ) {}

  /** A process's first session also starts ONNX Runtime, 25 to 40 ms that are not the model's; this has no graph. */
  static async startRuntime(): Promise<void> {
    await ort.InferenceSession.create(new Uint8Array()).catch(() => undefined);
  }

  /** @throws Error */
  static async open({
    graph,
    columns,
    manifest,
  }: Pick<Artifact, 'graph' | 'columns' | 'manifest'>): Promise<Session> {
    const session = await ort.InferenceSession.create(graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // Failures are thrown as well; ONNX Runtime would write them to standard error, bypassing every log.
      logSeverityLevel: 4,
    }).catch((cause: Error) => {
      throw new Error(`ONNX Runtime does not load model.onnx: ${cause.message}`, { cause });
    });
    try {
      const inputs = layOutInputs(session.inputMetadata, columns);
      const outputs = layOutOutputs(session.outputMetadata, manifest);
      const labels = manifest.task === 'regression' ? [] : manifest.labels;
      return new Session(session, inputs, outputs, compileCoercion(columns, inputs.elementTypes), labels);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /** What the graph takes, one per column. */
  get elementTypes(): readonly ElementType[] {
    return this.inputs.elementTypes;
  }

  /** The type of the numbers in its answers. */
  get numberType(): 'float32' | 'float64' {
    return this.outputs.numberType;
  }

  /** What the graph takes. */
  get inputTensors(): readonly InputTensor[] {
    return this.inputs.tensors;
  }

  /** It never ends by itself: it lives in the caller's thread. */
  readonly hasEnded = false;
  readonly endReason = undefined;

  /** One prediction per row, in order. (Nothing can limit a run in the caller's thread.) */
  async run(rows: readonly Row[], _limitMs?: number): Promise<Prediction[]> {
    const input = this.allocate(rows.length);
    const width = this.elementTypes.length;
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index]!;
      if (row.length !== width) throw new Error(`a row has ${row.length} values, the model takes ${width}`);
      for (let column = 0; column < width; column++) input.set(index, column, row[column]!);
    }
    return toPredictions(await this.runRows(input, 0, rows.length), rows.length, this.labels);
  }

  /** Room for many rows at once: they go straight into the tensors. */
  allocate(rows: number): InputRows {
    return this.inputs.allocate(rows);
  }

  /** Answers the rows from `start` up to `end`. */
  async runRows(input: InputRows, start: number, end: number): Promise<Outputs> {
    const results = await this.session.run(input.feeds(start, end), this.outputs.fetches);
    return this.outputs.read(results, end - start);
  }

  /** A golden case's row, to measure with: zeros and empty texts may cost less, and the graph may refuse them. */
  sampleOf({ cases }: Golden): Row {
    for (const { input } of cases) {
      const { row, errors } = this.coerce(input);
      if (errors.length === 0) return row;
    }
    return this.elementTypes.map((type) => (type === 'string' ? '' : 0));
  }

  /**
   * Runs larger and larger batches of this row, of at most `maxRows`, until one takes longer than the budget.
   * @returns the best time for each size, including the one that took longer.
   */
  async warmUp(row: Row, budgetMs: number, maxRows = Infinity): Promise<MeasuredRun[]> {
    const runs: MeasuredRun[] = [];
    for (const rows of BATCH_SIZES.filter((size) => size <= maxRows)) {
      const batch = new Array<Row>(rows).fill(row);
      let ms = Infinity;
      for (let turn = 0; turn < RUNS_PER_SIZE; turn++) {
        const started = performance.now();
        await this.run(batch);
        ms = Math.min(ms, performance.now() - started);
      }
      runs.push({ rows, ms });
      if (ms > budgetMs) break;
    }
    return runs;
  }

  /**
   * Compares answers with those of the training framework, within the artifact's tolerance.
   * @returns what could not be checked, one sentence each
   * @throws Error
   */
  async checkGolden({ cases, tolerance }: Golden): Promise<string[]> {
    const failures: string[] = [];
    const order = { agreeing: 0, contradicting: 0 };
    for (const [index, { input, output }] of cases.entries()) {
      const { row, errors } = this.coerce(input);
      if (errors.length > 0) {
        failures.push(
          `case ${index}: ${errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join(', ')}`,
        );
        continue;
      }
      const [prediction] = await this.run([row]);
      for (const { what, found, expected } of compare(prediction!, output)) {
        if (found === expected) continue;
        const difference = typeof expected === 'number' ? Math.abs(Number(found) - expected) : NaN;
        if (difference <= tolerance) continue;
        const by = typeof expected === 'number' ? `: off by ${difference}, allowed ${tolerance}` : '';
        failures.push(`case ${index}: ${what} is ${found}, should be ${expected}${by}`);
      }
      const agrees = await this.agreesWithGraph(row, prediction!);
      if (agrees !== undefined) order[agrees ? 'agreeing' : 'contradicting']++;
      if (failures.length >= ENOUGH_FAILURES) break;
    }
    if (failures.length > 0) {
      throw new Error(`it does not reproduce its golden values: ${failures.join('; ')}`);
    }
    const isBinary = this.labels.length === 2 && this.outputs.fetches.length === 1;
    if (!isBinary || cases.some(({ output }) => 'label' in output)) return [];
    if (order.contradicting > order.agreeing) {
      throw new Error(
        `the manifest's labels ${JSON.stringify(this.labels)} are in another order than the graph's: it chose ` +
          `the other label in ${order.contradicting} of ${cases.length} golden cases`,
      );
    }
    return order.agreeing > 0 ? [] : [NO_GOLDEN_LABELS];
  }

  /**
   * Whether the graph, too, gives the more probable of two classes the manifest's label for it; undefined if it
   * names classes differently, or not at all. If it decides by something other than its probabilities, as support
   * vectors do, it disagrees now and then.
   */
  private async agreesWithGraph(row: Row, prediction: Prediction): Promise<boolean | undefined> {
    const { ownLabel } = this.outputs;
    if (ownLabel === undefined || !('probabilities' in prediction)) return undefined;
    const [first, second] = prediction.probabilities;
    if (first === second) return undefined;
    const input = this.allocate(1);
    for (const [column, value] of row.entries()) input.set(0, column, value);
    const named = String((await this.session.run(input.feeds(0, 1), [ownLabel]))[ownLabel]!.data[0]);
    return this.labels.includes(named) ? named === this.labels[second! > first! ? 1 : 0] : undefined;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** Loops: this is done for each row, and `Array.from` and a generic `slice` of typed arrays take ten times as long. */
function toPredictions(outputs: Outputs, rows: number, labels: readonly string[]): Prediction[] {
  const predictions: Prediction[] = [];
  const width = labels.length;
  for (let row = 0; row < rows; row++) {
    if ('values' in outputs) {
      predictions.push({ value: outputs.values[row]! });
      continue;
    }
    const probabilities: number[] = [];
    for (let label = 0; label < width; label++) {
      probabilities.push(outputs.probabilities[row * width + label]!);
    }
    predictions.push({ label: labels[outputs.chosen[row]!]!, probabilities });
  }
  return predictions;
}

/** What a golden case expects, next to what was found. */
function compare(prediction: Prediction, expected: Golden['cases'][number]['output']) {
  if ('prediction' in expected) {
    const found = 'value' in prediction ? prediction.value : undefined;
    return [{ what: 'prediction', found, expected: expected.prediction }];
  }
  const { label, probabilities } =
    'probabilities' in prediction ? prediction : { label: '', probabilities: [] };
  return [
    { what: 'label', found: label, expected: expected.label ?? label },
    ...expected.probabilities.map((probability, index) => ({
      what: `probabilities[${index}]`,
      found: probabilities[index],
      expected: probability,
    })),
  ];
}

import ort from 'onnxruntime-node';
import { Batcher } from '#libs/batching';
import { ArtifactError, readArtifact, type Artifact, type Golden, type Manifest } from './artifact.js';
import { compileCoercion, type Coerced, type Features, type Row } from './coercion.js';
import type { Column } from './input-schema.js';
import type { Prediction } from './prediction.js';
import { layOutInputs, layOutOutputs, type InputLayout, type OutputLayout } from './tensors.js';

/**
 * Since 1.29 the published ONNX Runtime reports to Microsoft by default: a number for this machine, which models are
 * loaded, their hashes, the texts of errors. It reads this when the first session is made.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
 */
// oxlint-disable-next-line node/no-process-env -- written, not read
process.env.ORT_DISABLE_TELEMETRY = '1';

const MAX_BATCH_ROWS = 256;
const MAX_QUEUED_ROWS = 10_000;
const WARM_UP_BATCHES = [1, 1, 64, MAX_BATCH_ROWS, 1];

/**
 * A loaded version of a model. It exists only once its session is warm and reproduces the golden values.
 *
 * One thread, in our own process: a graph of trees answers in 20 µs, far less than handing it to another thread costs,
 * and one thread sums the trees in one order, so that a row's answer does not depend on the rows it shares a run with.
 * (Of a linear model the last digits may: its matrix product is computed differently for other sizes of a batch.)
 */
export class Model {
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly columns: readonly Column[];
  readonly coerce: (features: Features) => Coerced;
  private readonly batcher: Batcher<Row, Prediction>;

  private constructor(
    artifact: Artifact,
    private readonly session: ort.InferenceSession,
    private readonly inputs: InputLayout,
    private readonly outputs: OutputLayout,
  ) {
    this.manifest = artifact.manifest;
    this.name = artifact.manifest.name;
    this.version = artifact.manifest.version;
    this.columns = artifact.columns;
    this.coerce = compileCoercion(artifact.columns, inputs.elementTypes);
    this.batcher = new Batcher({
      run: (rows) => this.run(rows),
      maxBatch: MAX_BATCH_ROWS,
      maxQueued: MAX_QUEUED_ROWS,
    });
  }

  /** Reads, loads, warms and checks. @throws ArtifactError */
  static async load(folder: string): Promise<Model> {
    const artifact = await readArtifact(folder);
    const session = await ort.InferenceSession.create(artifact.graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    }).catch((cause: Error) => {
      throw new ArtifactError(folder, `ONNX Runtime does not load model.onnx: ${cause.message}`, { cause });
    });
    const model = fitting(
      folder,
      () =>
        new Model(
          artifact,
          session,
          layOutInputs(session.inputMetadata, artifact.columns),
          layOutOutputs(session.outputMetadata, artifact.manifest),
        ),
    );
    await model.warmUp().catch((cause: Error) => {
      throw new ArtifactError(folder, cause.message, { cause });
    });
    await model.checkGolden(artifact);
    return model;
  }

  /** @throws QueueFull when too many rows wait. */
  infer(row: Row): Promise<Prediction> {
    return this.batcher.add(row);
  }

  async release(): Promise<void> {
    await this.batcher.idle();
    await this.session.release();
  }

  private async run(rows: readonly Row[]): Promise<Prediction[]> {
    const results = await this.session.run(this.inputs.feeds(rows), this.outputs.fetches);
    return this.outputs.read(results, rows.length);
  }

  private async warmUp(): Promise<void> {
    const row: Row = this.inputs.elementTypes.map((type) => (type === 'string' ? '' : 0));
    for (const size of WARM_UP_BATCHES) await this.run(new Array<Row>(size).fill(row));
  }

  /** The training framework's own answers, within the artifact's tolerance. */
  private async checkGolden({ folder, golden }: Artifact): Promise<void> {
    const failures: string[] = [];
    for (const [index, { input, output }] of golden.cases.entries()) {
      const { row, errors } = this.coerce(input);
      if (errors.length > 0) {
        failures.push(
          `case ${index}: ${errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join(', ')}`,
        );
        continue;
      }
      for (const { what, found, expected } of compare(await this.infer(row), output)) {
        if (found === expected) continue;
        const difference = typeof expected === 'number' ? Math.abs(Number(found) - expected) : NaN;
        if (difference <= golden.tolerance) continue;
        const by = typeof expected === 'number' ? `: off by ${difference}, allowed ${golden.tolerance}` : '';
        failures.push(`case ${index}: ${what} is ${found}, should be ${expected}${by}`);
      }
    }
    if (failures.length === 0) return;
    throw new ArtifactError(
      folder,
      `it does not reproduce its golden values: ${failures.slice(0, 5).join('; ')}`,
    );
  }
}

/** What a golden case promises, beside what was found. */
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

/** Schema, manifest and graph have to fit together. */
function fitting<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new ArtifactError(folder, (cause as Error).message, { cause });
  }
}

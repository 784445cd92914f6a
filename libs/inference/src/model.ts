import ort from 'onnxruntime-node';
import { Batcher } from '#libs/batching';
import { ArtifactError, readArtifact, type Artifact, type Manifest } from './artifact.js';
import { compileCoercion, type Coerced, type Features, type Row } from './coercion.js';
import type { Column } from './input-schema.js';

/** One probability a label, in the manifest's order, each a float32. */
export interface Prediction {
  readonly probabilities: readonly number[];
}

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
 * One thread, in our own process: this graph answers in 20 µs, far less than handing it to another thread costs, and
 * one thread sums the trees in one order, so that a row's answer does not depend on the rows it shares a run with.
 */
export class Model {
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly columns: readonly Column[];
  private readonly batcher: Batcher<Row, Prediction>;

  private constructor(
    artifact: Artifact,
    private readonly session: ort.InferenceSession,
    readonly coerce: (features: Features) => Coerced,
  ) {
    this.manifest = artifact.manifest;
    this.name = artifact.manifest.name;
    this.version = artifact.manifest.version;
    this.columns = artifact.columns;
    this.batcher = new Batcher({
      run: (rows) => this.run(rows),
      maxBatch: MAX_BATCH_ROWS,
      maxQueued: MAX_QUEUED_ROWS,
    });
  }

  /** Reads, loads, warms and checks. @throws ArtifactError */
  static async load(folder: string): Promise<Model> {
    const artifact = await readArtifact(folder);
    const coerce = compileSchema(artifact);
    const session = await ort.InferenceSession.create(artifact.graph, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: 3,
    }).catch((cause: Error) => {
      throw new ArtifactError(folder, `ONNX Runtime does not load model.onnx: ${cause.message}`, { cause });
    });
    checkGraph(artifact, session);
    const model = new Model(artifact, session, coerce);
    await model.warmUp();
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
    const width = this.columns.length;
    const values = new Float32Array(rows.length * width);
    rows.forEach((row, index) => values.set(row as number[], index * width));
    const features = new ort.Tensor('float32', values, [rows.length, width]);
    const { probabilities } = await this.session.run({ [this.session.inputNames[0]!]: features }, [
      'probabilities',
    ]);
    const data = probabilities!.data as Float32Array;
    const classes = this.manifest.labels.length;
    return rows.map((_, index) => ({
      probabilities: Array.from(data.subarray(index * classes, (index + 1) * classes)),
    }));
  }

  private async warmUp(): Promise<void> {
    const row: Row = this.columns.map(() => NaN);
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
      const { probabilities } = await this.infer(row);
      output.probabilities.forEach((expected, label) => {
        const found = probabilities[label] ?? NaN;
        const difference = Math.abs(found - expected);
        if (!(difference <= golden.tolerance)) {
          failures.push(
            `case ${index}: probabilities[${label}] is ${found}, should be ${expected}: off by ${difference}, ` +
              `allowed ${golden.tolerance}`,
          );
        }
      });
    }
    if (failures.length === 0) return;
    throw new ArtifactError(
      folder,
      `it does not reproduce its golden values: ${failures.slice(0, 5).join('; ')}`,
    );
  }
}

function compileSchema({ folder, columns }: Artifact): Model['coerce'] {
  try {
    return compileCoercion(columns);
  } catch (cause) {
    throw new ArtifactError(folder, `input_schema.json: ${(cause as Error).message}`, { cause });
  }
}

function checkGraph({ folder, columns }: Artifact, session: ort.InferenceSession): void {
  const describe = (tensor: ort.InferenceSession.ValueMetadata) =>
    tensor.isTensor
      ? `${tensor.name} ${tensor.type}[${tensor.shape.map((size) => size || -1).join(',')}]`
      : tensor.name;
  const [input] = session.inputMetadata;
  const fits =
    session.inputMetadata.length === 1 &&
    input?.isTensor &&
    input.type === 'float32' &&
    input.shape.length === 2 &&
    input.shape[1] === columns.length;
  if (!fits) {
    throw new ArtifactError(
      folder,
      `input_schema.json has ${columns.length} columns, so that the graph should have one input ` +
        `float32[-1,${columns.length}]; it has ${session.inputMetadata.map(describe).join(', ')}`,
    );
  }
  if (columns.some(({ type }) => type === 'categorical')) {
    throw new ArtifactError(folder, 'a categorical column needs an input of strings, and the graph has none');
  }
  const output = session.outputMetadata.find(({ name }) => name === 'probabilities');
  if (!output?.isTensor || output.type !== 'float32' || output.shape.length !== 2) {
    throw new ArtifactError(
      folder,
      `the graph should have an output probabilities float32[-1,classes]; it has ` +
        session.outputMetadata.map(describe).join(', '),
    );
  }
}

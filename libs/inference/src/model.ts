import { MicroBatcher } from '#libs/micro-batching';
import type { Manifest } from './artifact-schemas.js';
import { compileCoercion, type Coerced, type Features } from './coercion.js';
import type { Column } from './input-schema.js';
import { RUN_BUDGET_MS, type MeasuredRun, type Place } from './place.js';
import type { Prediction } from './prediction.js';
import type { InputTensor, Row } from './row.js';
import { Session } from './session.js';
import { WorkerSession, type Loaded } from './worker-session.js';

/**
 * Since 1.29 the published ONNX Runtime reports to Microsoft by default: a number for this machine, which models are
 * loaded, their hashes, the texts of errors. It reads this when the first session is made, in whichever thread; only
 * the main thread's variables are the process's.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
 */
// oxlint-disable-next-line node/no-process-env -- written, not read
process.env.ORT_DISABLE_TELEMETRY = '1';

export interface LoadOptions {
  /** From being asked to having answered every row of a call. */
  timeLimitMs?: number;
  /** Rows that may wait; fewer do where the model is too slow to answer as many within the time limit. */
  maxQueued?: number;
  /** Where it runs; by default its measured time decides. */
  place?: 'worker thread';
  /** Asked once, when it is loaded, for who hears of its runs. */
  observe?(model: { name: string; version: string }): RunObserver;
}

/** Hears how many rows shared a run, and how long it took; `null` where it failed. On the way of every answer. */
export type RunObserver = (rows: number, ms: number | null) => void;

/** The rows of a call were not all answered in time. They may still be computed, if they were on their way. */
export class TimeLimitExceeded extends Error {}

/** More rows in one call than the model can answer within the time limit. */
export class TooManyRows extends Error {}

/** A large call waits in parts, so that others find room between them. */
const MAX_ROWS_IN_PART = 1000;

/** Of one call: when the first run of its rows began, by `performance.now()`. */
export interface RunStart {
  at?: number;
}

interface Asked {
  row: Row;
  start?: RunStart;
  /** By `performance.now()`. */
  deadline: number;
}

/**
 * A loaded version of a model. It exists only once its session is warm and reproduces the golden values.
 *
 * It is loaded in a worker thread, so that nobody waits for it. A model as quick as a graph of trees, which answers in
 * 20 µs, is then opened again on the event loop: handing a row to another thread would cost several times that. Any
 * other stays where it is, and its runs delay no one but its own callers (docs/adr/0006).
 *
 * Invariants
 * - of a call's rows, or of each part of a large call, all are queued or none, and none is computed whose time is over
 *   before its batch starts;
 * - rows wait in order of arrival and have one time limit, so that those whose time is over are the first of a batch;
 * - no more rows wait than can be answered within the time limit, at the speed that the warm-up measured.
 */
export class Model {
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly columns: readonly Column[];
  readonly contentSha256: string;
  readonly place: Place;
  /** What the graph takes. */
  readonly inputs: readonly InputTensor[];
  readonly coerce: (features: Features) => Coerced;
  /** How many rows may wait. */
  readonly maxQueued: number;
  /** How many rows one call may bring. */
  readonly maxRows: number;
  private readonly batcher: MicroBatcher<Asked, Prediction>;
  private readonly onRun?: RunObserver;
  private readonly rowsInPart: number;
  private readonly inParts = new Set<Promise<Prediction[]>>();
  private released?: Promise<void>;

  private constructor(
    { artifact, place, batch, inputs, elementTypes }: Loaded,
    private readonly session: Session | WorkerSession,
    private readonly timeLimitMs: number,
    maxQueued: number,
    observe: LoadOptions['observe'],
  ) {
    this.manifest = artifact.manifest;
    this.name = artifact.manifest.name;
    this.version = artifact.manifest.version;
    this.columns = artifact.columns;
    this.contentSha256 = artifact.contentSha256;
    this.place = place;
    this.inputs = inputs;
    this.coerce = compileCoercion(artifact.columns, elementTypes);
    this.onRun = observe?.(this);
    const rowsInTime = rowsWithin(timeLimitMs, batch);
    const maxWaiting = Math.min(maxQueued, rowsInTime);
    this.maxQueued = maxWaiting;
    this.maxRows = batch.rows + rowsInTime;
    this.rowsInPart = Math.min(maxWaiting, MAX_ROWS_IN_PART);
    this.batcher = new MicroBatcher({
      run: (asked) => this.run(asked),
      maxBatch: batch.rows,
      maxQueued: maxWaiting,
    });
  }

  /** Reads, loads, warms, measures and checks, without delaying the caller's event loop. @throws ArtifactError */
  static async load(
    folder: string,
    { timeLimitMs = 30_000, maxQueued = 10_000, place, observe }: LoadOptions = {},
  ): Promise<Model> {
    const { session: worker, loaded } = await WorkerSession.open({ folder, place });
    const { graph, ...found } = loaded;
    if (!graph) return new Model(found, worker, timeLimitMs, maxQueued, observe);
    try {
      const session = await Session.open({ ...loaded.artifact, graph });
      await session.warmUp(RUN_BUDGET_MS['event loop'], loaded.batch.rows);
      return new Model(found, session, timeLimitMs, maxQueued, observe);
    } finally {
      await worker.release();
    }
  }

  /** Whether it will never answer again, because its thread has ended; it has to be loaded anew. */
  get hasEnded(): boolean {
    return this.session.hasEnded;
  }

  /** How many rows wait for the next run. */
  get queued(): number {
    return this.batcher.queued;
  }

  /**
   * One prediction a row, in their order. @throws QueueFull, TimeLimitExceeded, TooManyRows
   * @param start is told when the call's waiting ended
   */
  infer(rows: readonly Row[], start?: RunStart): Promise<Prediction[]> {
    if (this.released) return Promise.reject(new Error(`${this.name} ${this.version} was released`));
    if (rows.length > this.maxRows) {
      return Promise.reject(new TooManyRows(`The model takes at most ${this.maxRows} rows at once.`));
    }
    const deadline = performance.now() + this.timeLimitMs;
    const answers =
      rows.length <= this.rowsInPart
        ? this.ask(rows, deadline, start)
        : this.askInParts(rows, deadline, start);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.late()), this.timeLimitMs);
      answers.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Waits for what was asked; afterwards nothing of the model is left. */
  release(): Promise<void> {
    return (this.released ??= Promise.allSettled(this.inParts)
      .then(() => this.batcher.idle())
      .then(() => this.session.release()));
  }

  private ask(rows: readonly Row[], deadline: number, start?: RunStart): Promise<Prediction[]> {
    return this.batcher.addAll(rows.map((row) => ({ row, deadline, start })));
  }

  /** One part after another: between two of them nothing of the call waits, and the model must not be released. */
  private askInParts(rows: readonly Row[], deadline: number, start?: RunStart): Promise<Prediction[]> {
    const all = async () => {
      const predictions: Prediction[] = [];
      for (let first = 0; first < rows.length; first += this.rowsInPart) {
        predictions.push(...(await this.ask(rows.slice(first, first + this.rowsInPart), deadline, start)));
      }
      return predictions;
    };
    const answers = all().finally(() => this.inParts.delete(answers));
    this.inParts.add(answers);
    return answers;
  }

  private async run(asked: readonly Asked[]): Promise<(Prediction | Error)[]> {
    const now = performance.now();
    const late = asked.filter(({ deadline }) => deadline <= now).map(() => this.late());
    if (late.length === asked.length) return late;
    const rows = asked.slice(late.length).map(({ row, start }) => {
      if (start) start.at ??= now;
      return row;
    });
    return [...late, ...(await this.runObserved(rows))];
  }

  private async runObserved(rows: readonly Row[]): Promise<Prediction[]> {
    if (!this.onRun) return this.session.run(rows);
    const started = performance.now();
    try {
      const predictions = await this.session.run(rows);
      this.onRun(rows.length, performance.now() - started);
      return predictions;
    } catch (error) {
      this.onRun(rows.length, null);
      throw error;
    }
  }

  private late(): TimeLimitExceeded {
    return new TimeLimitExceeded(`The model did not answer within ${this.timeLimitMs} ms.`);
  }
}

/** While one batch runs, so many rows can wait and be answered in time; one batch in any case. */
function rowsWithin(timeLimitMs: number, batch: MeasuredRun): number {
  return Math.max(batch.rows, Math.floor((timeLimitMs / batch.ms - 1) * batch.rows));
}

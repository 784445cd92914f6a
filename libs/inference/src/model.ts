import { MicroBatcher } from '#libs/micro-batching';
import { ArtifactError, readArtifact, readGraph } from './artifact.js';
import type { Manifest } from './artifact-schemas.js';
import { isBounded } from './bounded-graph.js';
import { compileCoercion, type Coerced, type Features } from './coercion.js';
import type { Column } from './input-schema.js';
import { ModelProcess, type Described, type Loaded, type ProcessLimits } from './model-process.js';
import { decideBatch, decidePlace, RUN_BUDGET_MS, type MeasuredRun, type Place } from './place.js';
import type { InputTensor, Prediction, Row } from './row.js';
import { Session } from './session.js';

/**
 * Since 1.29 the published ONNX Runtime reports to Microsoft by default: a number for this machine, which models are
 * loaded, their hashes, the texts of errors. It reads this when the first session is made, in whichever thread; only
 * the main thread's variables are the process's. (The processes of models are started with it.)
 * https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
 */
// oxlint-disable-next-line node/no-process-env -- written, not read
process.env.ORT_DISABLE_TELEMETRY = '1';

export interface LoadOptions extends ProcessLimits {
  /** From the call until all of its rows are answered. */
  timeLimitMs?: number;
  /** Rows that may wait; fewer if the model is too slow to answer as many within the time limit. */
  maxQueued?: number;
  /** Where it runs; by default its graph and its measured time decide. */
  place?: 'own process';
  /**
   * Whether this content was checked before by the same `CHECKER`, and was quick to check: if it is still as quick,
   * it needs no process.
   */
  wasChecked?: boolean;
  /** Called once, when the model is loaded, for an observer of its runs. */
  observe?(model: { name: string; version: string }): RunObserver;
}

/** Receives how many rows shared a run, and how long it took; `null` if it failed. On the path of every answer. */
export type RunObserver = (rows: number, ms: number | null) => void;

/** The rows of a call were not all answered in time. They may still be computed, if a run had already begun. */
export class TimeLimitExceeded extends Error {}

/** More rows in one call than the model can answer within the time limit. */
export class TooManyRows extends Error {}

/**
 * A run that takes longer than the time limit is no longer of use to anyone, and may never end. Beyond this limit its
 * process is ended, and the model has to be loaded again; if the time limit is short, a run may well take longer.
 */
const MIN_RUN_LIMIT_MS = 10_000;
const RUN_LIMIT_IN_BATCHES = 4;

/** Looking for who is late goes through all rows that wait, so that a call may be told this much later. */
const BETWEEN_LOOKS_MS = 10;

/** A large call waits in parts, so that other calls find room between them. */
const MAX_ROWS_IN_PART = 1000;

export interface InferenceCall {
  /** Owners take turns when rows wait; all calls without an owner count as one owner's. */
  owner?: unknown;
  /** Set here: when the first run of its rows began, by `performance.now()`. */
  ranAt?: number;
}

interface Asked {
  row: Row;
  call: InferenceCall;
  /** By `performance.now()`. */
  deadline: number;
  /** Whether its caller was told that it is too late. It keeps its place until the next run. */
  isRefused: boolean;
}

/**
 * A loaded version of a model. It exists only once its session is warm and reproduces the golden values.
 *
 * It is loaded in a process of its own, so that nobody waits for it and it harms nobody. A model as quick as a graph of
 * trees, which takes 20 µs for any input, is then opened again on the event loop: handing a row to another
 * process would cost several times that. Any other stays where it is, and its runs delay only its own callers
 * (docs/adr/0006, docs/adr/0017).
 *
 * Invariants
 * - the rows of a call, or of each part of a large call, are queued together or not at all, and none is computed if its
 *   time is over before its batch starts;
 * - the rows of one owner wait in order of arrival, and owners take turns;
 * - no more rows wait than can be answered within the time limit, at the speed measured in the warm-up.
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
  /** Whether the same content can be checked without a process of its own next time. */
  readonly isQuickToCheck: boolean;
  private readonly batcher: MicroBatcher<Asked, Prediction>;
  /** One timer for all calls, set for the earliest deadline; none while nobody waits. */
  private timer?: NodeJS.Timeout;
  private nextDeadline = Infinity;
  private readonly onRun?: RunObserver;
  private readonly runLimitMs: number;
  private readonly rowsInPart: number;
  private readonly inParts = new Set<Promise<Prediction[]>>();
  private released?: Promise<void>;

  private constructor(
    { manifest, columns, contentSha256 }: Described,
    { place, batch, inputs, elementTypes, isQuickToCheck }: Omit<Loaded, 'warnings' | 'sample'>,
    private readonly session: Session | ModelProcess,
    private readonly timeLimitMs: number,
    maxQueued: number,
    observe: LoadOptions['observe'],
  ) {
    this.manifest = manifest;
    this.name = manifest.name;
    this.version = manifest.version;
    this.columns = columns;
    this.contentSha256 = contentSha256;
    this.place = place;
    this.isQuickToCheck = isQuickToCheck;
    this.inputs = inputs;
    this.coerce = compileCoercion(columns, elementTypes);
    this.runLimitMs = Math.max(timeLimitMs, MIN_RUN_LIMIT_MS, RUN_LIMIT_IN_BATCHES * batch.ms);
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
      ownerOf: ({ call }) => call.owner,
    });
  }

  /** Reads, loads, warms, measures and checks, without delaying the caller's event loop. @throws ArtifactError */
  static async load(
    folder: string,
    { timeLimitMs = 30_000, maxQueued = 10_000, place, wasChecked, observe, ...limits }: LoadOptions = {},
  ): Promise<Model> {
    const known = wasChecked && !place ? await loadKnown(folder) : undefined;
    if (known) return new Model(known.artifact, known.loaded, known.session, timeLimitMs, maxQueued, observe);
    const candidate = await ModelProcess.open(folder, limits);
    const { described } = candidate;
    const loaded = await candidate.load(place);
    const make = (session: Session | ModelProcess) =>
      new Model(described, loaded, session, timeLimitMs, maxQueued, observe);
    if (loaded.place === 'own process') return make(candidate);
    await candidate.release();
    const session = await Session.open({ ...described, graph: await readGraph(folder, described.manifest) });
    await session.warmUp(loaded.sample, RUN_BUDGET_MS['event loop'], loaded.batch.rows);
    return make(session);
  }

  /** Whether it will never answer again because its process has ended; then it has to be loaded again. */
  get hasEnded(): boolean {
    return this.session.hasEnded;
  }

  /** Why it has ended, for people to read. */
  get endReason(): string | undefined {
    return this.session.endReason;
  }

  /** How many rows wait for the next run. */
  get queued(): number {
    return this.batcher.queued;
  }

  /** One prediction per row, in order. @throws QueueFull, TimeLimitExceeded, TooManyRows */
  infer(rows: readonly Row[], call: InferenceCall = {}): Promise<Prediction[]> {
    if (this.released) return Promise.reject(new Error(`${this.name} ${this.version} was released`));
    if (rows.length > this.maxRows) {
      return Promise.reject(new TooManyRows(`The model takes at most ${this.maxRows} rows at once.`));
    }
    if (rows.length === 0) return Promise.resolve([]);
    const deadline = performance.now() + this.timeLimitMs;
    return rows.length <= this.rowsInPart
      ? this.ask(rows, deadline, call)
      : this.askInParts(rows, deadline, call);
  }

  /**
   * Its answer to one row for the API document. Nobody asked, so it is not counted; and nothing should wait for it,
   * so only a model on the event loop answers.
   */
  async answerExample(row: Row): Promise<Prediction | undefined> {
    if (this.released || this.session instanceof ModelProcess) return undefined;
    return (await this.session.run([row]))[0];
  }

  /** Waits for pending calls; afterwards nothing of the model is left. */
  release(): Promise<void> {
    return (this.released ??= Promise.allSettled(this.inParts)
      .then(() => this.batcher.idle())
      .then(() => this.session.release()));
  }

  /** Like `release`, but without waiting for what a process was asked: that is rejected with `ModelEnded`. */
  async end(): Promise<void> {
    if (this.session instanceof ModelProcess) await this.session.release();
    await this.release();
  }

  private ask(rows: readonly Row[], deadline: number, call: InferenceCall): Promise<Prediction[]> {
    this.watch(deadline);
    return this.batcher.addAll(rows.map((row) => ({ row, call, deadline, isRefused: false })));
  }

  /** One part after another: between two parts nothing of the call waits, and the model must not be released. */
  private askInParts(rows: readonly Row[], deadline: number, call: InferenceCall): Promise<Prediction[]> {
    const all = async () => {
      const predictions: Prediction[] = [];
      for (let first = 0; first < rows.length; first += this.rowsInPart) {
        predictions.push(...(await this.ask(rows.slice(first, first + this.rowsInPart), deadline, call)));
      }
      return predictions;
    };
    const answers = all().finally(() => this.inParts.delete(answers));
    this.inParts.add(answers);
    return answers;
  }

  private async run(asked: readonly Asked[]): Promise<(Prediction | Error)[]> {
    const now = performance.now();
    const isInTime = ({ deadline }: Asked) => deadline > now;
    const inTime = asked.every(isInTime) ? asked : asked.filter(isInTime);
    const rows = inTime.map(({ row, call }) => {
      call.ranAt ??= now;
      return row;
    });
    try {
      const predictions = rows.length > 0 ? await this.runObserved(rows) : [];
      if (inTime === asked) return predictions;
      let next = 0;
      return asked.map((each) => (isInTime(each) ? predictions[next++]! : this.late()));
    } finally {
      if (this.batcher.queued === 0) this.stopWatching();
    }
  }

  private async runObserved(rows: readonly Row[]): Promise<Prediction[]> {
    if (!this.onRun) return this.session.run(rows, this.runLimitMs);
    const started = performance.now();
    try {
      const predictions = await this.session.run(rows, this.runLimitMs);
      this.onRun(rows.length, performance.now() - started);
      return predictions;
    } catch (error) {
      this.onRun(rows.length, null);
      throw error;
    }
  }

  /** Calls come in the order of their deadlines: nearly all find it set. A later part of a large call may be earlier. */
  private watch(deadline: number, atLeastMs = 0): void {
    if (deadline >= this.nextDeadline) return;
    clearTimeout(this.timer);
    this.nextDeadline = deadline;
    // A timer of Node may be a millisecond early.
    const ms = Math.ceil(deadline - performance.now()) + 1;
    this.timer = setTimeout(this.refuseLate, Math.max(ms, atLeastMs));
  }

  private stopWatching(): void {
    clearTimeout(this.timer);
    this.nextDeadline = Infinity;
  }

  private readonly refuseLate = (): void => {
    const now = performance.now();
    const late = this.late();
    let next = Infinity;
    this.batcher.fail((asked) => {
      if (asked.isRefused) return undefined;
      asked.isRefused = asked.deadline <= now;
      if (asked.isRefused) return late;
      next = Math.min(next, asked.deadline);
      return undefined;
    });
    this.nextDeadline = Infinity;
    this.watch(next, BETWEEN_LOOKS_MS);
  };

  private late(): TimeLimitExceeded {
    return new TimeLimitExceeded(`The model did not answer within ${this.timeLimitMs} ms.`);
  }
}

/**
 * On the event loop from the beginning, mainly when a service starts: a process costs 0.1 s of processor time.
 * Undefined if it is no longer as quick as it was. @throws Error if it does not reproduce its golden values
 */
async function loadKnown(folder: string) {
  const { graph, golden, ...artifact } = await readArtifact(folder);
  await Session.startRuntime();
  const started = performance.now();
  const session = await Session.open({ ...artifact, graph });
  const openMs = performance.now() - started;
  try {
    const runs = await session.warmUp(session.sampleOf(golden), RUN_BUDGET_MS['event loop']);
    const place = decidePlace({ openMs, runs }, () => isBounded(graph));
    if (place === 'event loop') {
      await session.checkGolden(golden);
      const { inputTensors: inputs, elementTypes } = session;
      const batch = decideBatch(runs, place);
      return { artifact, session, loaded: { place, batch, inputs, elementTypes, isQuickToCheck: true } };
    }
  } catch (error) {
    await session.release();
    throw error instanceof ArtifactError ? error : new ArtifactError(folder, (error as Error).message);
  }
  await session.release();
  return undefined;
}

/** While one batch runs, this many rows can wait and be answered in time; one batch in any case. */
function rowsWithin(timeLimitMs: number, batch: MeasuredRun): number {
  return Math.max(batch.rows, Math.floor((timeLimitMs / batch.ms - 1) * batch.rows));
}

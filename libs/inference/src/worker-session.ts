import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { ArtifactError, type Artifact } from './artifact.js';
import type { MeasuredRun, Place } from './place.js';
import type { Prediction } from './prediction.js';
import type { ElementType, InputTensor, Row } from './row.js';

/** What the thread is started with. */
export interface Order {
  folder: string;
  /** Where it is decided already; otherwise the measurements decide. */
  place?: Place;
}

/** What the thread says first, once the model is warm and reproduces its golden values. */
export interface Loaded {
  place: Place;
  /** The largest batch the model may run there, and how long it takes. */
  batch: MeasuredRun;
  artifact: Omit<Artifact, 'graph'>;
  inputs: readonly InputTensor[];
  /** What the graph takes, a column each. */
  elementTypes: readonly ElementType[];
  /** What was checked, to be opened again on the event loop, where that is the place. */
  graph?: Uint8Array;
}

/** What the thread says: `Loaded` first, then the predictions for each batch, in the order in which they came. */
export type Reply = { value: Loaded | Prediction[] } | { error: string };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A large model takes its time; a graph that never ends would take it all. */
const LOAD_LIMIT_MS = 300_000;

/** The built file, also where TypeScript runs from its source: a worker thread knows no TypeScript. */
const WORKER = createRequire(import.meta.url).resolve('#inference-worker');

/**
 * A session in a thread of its own, seen from outside. When the thread ends before it was told to, what waits is
 * rejected, and so is whatever is asked of it afterwards.
 */
export class WorkerSession {
  private readonly waiting: Waiting[] = [];
  private readonly ended: Promise<void>;
  private failure?: Error;

  private constructor(private readonly worker: Worker) {
    worker.on('message', (reply: Reply) => {
      const { resolve, reject } = this.waiting.shift()!;
      if ('error' in reply) reject(new Error(reply.error));
      else resolve(reply.value);
    });
    worker.on('error', (error) => this.fail(error as Error));
    this.ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.fail(new Error('the worker thread of the model has ended'));
        resolve();
      });
    });
  }

  /** Reads, loads, warms, measures and checks in a new thread. @throws ArtifactError */
  static async open(order: Order): Promise<{ session: WorkerSession; loaded: Loaded }> {
    const worker = new Worker(WORKER, { workerData: order });
    const session = new WorkerSession(worker);
    const limit = setTimeout(
      () => session.fail(new Error(`it was not loaded and checked within ${LOAD_LIMIT_MS / 1000} s`)),
      LOAD_LIMIT_MS,
    );
    const loaded = await session
      .nextReply<Loaded>()
      .catch((cause: Error) => {
        void worker.terminate();
        throw new ArtifactError(order.folder, cause.message, { cause });
      })
      .finally(() => clearTimeout(limit));
    // Whoever asks holds the process with his time limit; a model that nobody asks does not.
    worker.unref();
    return { session, loaded };
  }

  /** Whether the thread has ended, so that nothing will be answered any more. */
  get hasEnded(): boolean {
    return this.failure !== undefined;
  }

  /** One prediction a row, in their order. */
  run(rows: readonly Row[]): Promise<Prediction[]> {
    if (this.failure) return Promise.reject(this.failure);
    this.worker.postMessage(rows);
    return this.nextReply();
  }

  async release(): Promise<void> {
    this.worker.ref();
    this.worker.postMessage(null);
    await this.ended;
  }

  private nextReply<T>(): Promise<T> {
    return new Promise((resolve, reject) =>
      this.waiting.push({ resolve: resolve as Waiting['resolve'], reject }),
    );
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}

import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { ArtifactError, type Artifact } from './artifact.js';
import type { Row } from './coercion.js';
import type { MeasuredRun, Place } from './place.js';
import type { Prediction } from './prediction.js';
import type { ElementType } from './tensors.js';

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
  elementTypes: readonly ElementType[];
  /** What was checked, to be opened again on the event loop, where that is the place. */
  graph?: Uint8Array;
}

/** What the thread says instead of `Loaded` when the artifact cannot be used. */
interface Refusal {
  refused: string;
}

/** What the thread says to each batch, in the order in which they came. */
export type Answer = { predictions: Prediction[] } | { error: string };

interface Waiting {
  resolve(predictions: Prediction[]): void;
  reject(error: Error): void;
}

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

  private constructor(
    private readonly worker: Worker,
    readonly loaded: Loaded,
  ) {
    worker.on('message', (answer: Answer) => {
      const { resolve, reject } = this.waiting.shift()!;
      if ('error' in answer) reject(new Error(answer.error));
      else resolve(answer.predictions);
    });
    worker.on('error', (error) => this.fail(error as Error));
    this.ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.fail(new Error('the worker thread of the model has ended'));
        resolve();
      });
    });
    // Whoever asks holds the process with his time limit; a model that nobody asks does not.
    worker.unref();
  }

  /** Reads, loads, warms, measures and checks in a new thread. @throws ArtifactError */
  static async open(order: Order): Promise<WorkerSession> {
    const worker = new Worker(WORKER, { workerData: order });
    // They may stay: nobody hears them any more, and `removeAllListeners` would take Node's own, which open the port.
    const report = await new Promise<Loaded | Refusal>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`the worker thread ended with code ${code}`)));
    });
    if ('refused' in report) throw new ArtifactError(order.folder, report.refused);
    return new WorkerSession(worker, report);
  }

  /** One prediction a row, in their order. */
  run(rows: readonly Row[]): Promise<Prediction[]> {
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(rows);
    });
  }

  async release(): Promise<void> {
    this.worker.ref();
    this.worker.postMessage(null);
    await this.ended;
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}

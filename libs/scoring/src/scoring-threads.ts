import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { Calls, type Reply } from '#libs/calls';
import type { Artifact } from '#libs/inference';
import type { FileFormat } from './file-format.js';
import type { ParquetContents } from './formats/parquet-table.js';
import type { Chunk, ThreadChunk } from './input.js';
import { InputError, type OutputOrder } from './order.js';
import type { Written } from './output-file.js';
import type { AddedColumn } from './table.js';

/** What a thread is told first. */
export interface ThreadOrder {
  artifact: Artifact;
  /** The model's columns that are in the input. */
  features: readonly string[];
  input: {
    path?: string;
    format: FileFormat;
    columns: readonly string[];
    parquet?: ParquetContents;
  };
  output: OutputOrder;
  errorsOutput?: OutputOrder;
  /** How lines end in delimited files. */
  newline: string;
  /** What the position of a row is called. */
  place: string;
  /** Names that the input may not have. */
  reserved: readonly string[];
  strict: boolean;
}

export interface ScoredChunk {
  /** How much of the input was read, unpacked. */
  unpackedBytes: number;
  output: Written;
  errorsOutput?: Written;
  rows: number;
  errors: number;
}

/** What a thread answers: first what it adds to the input's columns, then a result for each chunk. */
export type Answer = readonly AddedColumn[] | ScoredChunk;
export type ThreadReply = Reply<Answer, { message: string; isInputError: boolean }>;

/** The built file, even if TypeScript runs from its source: a worker thread cannot run our TypeScript. */
const WORKER = createRequire(import.meta.url).resolve('#scoring-worker');

/**
 * A chunk's cells are garbage as soon as it is written: with more room for young objects a thread takes 20 to 40 MB
 * more and is not quicker.
 */
const YOUNG_GENERATION_MB = 16;

/**
 * Threads that score chunks side by side; each chunk goes to the one with the least to do. They begin to load their
 * modules at once: the order may come later.
 */
export class ScoringThreads {
  private readonly threads: readonly ScoringThread[];

  constructor(count: number) {
    const ended = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.threads = Array.from({ length: count }, () => new ScoringThread(ended));
  }

  get count(): number {
    return this.threads.length;
  }

  /** @returns the columns that the output has in addition to the input's. @throws Error if the model does not load */
  async start(order: ThreadOrder): Promise<readonly AddedColumn[]> {
    const [added] = await Promise.all(this.threads.map((thread) => thread.start(order)));
    return added!;
  }

  score(chunk: Chunk): Promise<ScoredChunk> {
    const [idlest] = this.threads.toSorted((a, b) => a.waitingCount - b.waitingCount);
    return idlest!.score(chunk);
  }

  async end(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.end()));
  }
}

class ScoringThread {
  private readonly worker: Worker;
  private readonly calls = new Calls<Answer, { message: string; isInputError: boolean }>(
    ({ message, isInputError }) => (isInputError ? new InputError(message) : new Error(message)),
  );
  private readonly exited: Promise<unknown>;

  /** `ended`: its first element is 1 when the threads are to end. */
  constructor(private readonly ended: Int32Array) {
    this.worker = new Worker(WORKER, {
      workerData: ended,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.worker.on('message', (reply: ThreadReply) => this.calls.settle(reply));
    this.worker.on('error', (error) => this.calls.end(error as Error));
    this.worker.on('exit', () => this.calls.end(new Error('a thread that scores has ended')));
    this.exited = new Promise((resolve) => this.worker.once('exit', resolve));
  }

  start(order: ThreadOrder): Promise<readonly AddedColumn[]> {
    return this.calls.make(() => this.worker.postMessage(order)) as Promise<readonly AddedColumn[]>;
  }

  get waitingCount(): number {
    return this.calls.waitingCount;
  }

  score(chunk: Chunk): Promise<ScoredChunk> {
    const bytes = 'bytes' in chunk ? [chunk.bytes.buffer as ArrayBuffer] : [];
    const { next: _next, share: _share, ...rest } = chunk;
    const scored = this.calls.make(() => this.worker.postMessage(rest satisfies ThreadChunk, bytes));
    return scored as Promise<ScoredChunk>;
  }

  /**
   * It ends by itself, after the current run: if a thread is terminated inside ONNX Runtime, the whole process
   * is aborted now and then. What it had still to score is rejected at once.
   */
  async end(): Promise<void> {
    this.calls.end(new Error('a thread that scores was told to end'));
    Atomics.store(this.ended, 0, 1);
    this.worker.postMessage('end');
    await this.exited;
  }
}

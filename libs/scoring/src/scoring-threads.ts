import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { ArtifactError, type Artifact } from '#libs/inference';
import type { FileFormat } from './file-format.js';
import type { ParquetColumns, ParquetRows } from './formats/parquet-table.js';
import type { Chunk } from './input.js';
import { InputError, type OutputOrder } from './order.js';
import type { Written } from './output-file.js';
import type { AddedColumn } from './table.js';

/** What a thread is started with. */
export interface ThreadOrder {
  artifact: Artifact;
  /** The model's columns that are in the input. */
  features: readonly string[];
  input: {
    path?: string;
    format: FileFormat;
    columns: readonly string[];
    parquet?: ParquetColumns;
  };
  output: OutputOrder;
  errorsOutput?: OutputOrder;
  /** How lines end in delimited files. */
  newline: string;
  /** What the places of rows are called. */
  place: string;
  /** Names that the input may not have. */
  reserved: readonly string[];
  strict: boolean;
  /** Its first element is 1 once the threads are to end. */
  ended: Int32Array;
}

export type ThreadChunk = { bytes: Uint8Array; firstLine: number } | ParquetRows;

export interface ScoredChunk {
  /** What was read of the input, unpacked. */
  unpackedBytes: number;
  output: Written;
  errorsOutput?: Written;
  rows: number;
  errors: number;
}

/** What a thread says: what it adds to the input's columns first, then something of each chunk, in their order. */
export type Reply =
  { added: readonly AddedColumn[] } | { scored: ScoredChunk } | { error: string; isInputError: boolean };

/** The built file, also where TypeScript runs from its source: a worker thread knows no TypeScript. */
const WORKER = createRequire(import.meta.url).resolve('#scoring-worker');

/**
 * A chunk's cells are garbage as soon as it is written: with more room for the young ones a thread takes 20 to 40 MB
 * more and is no quicker.
 */
const YOUNG_GENERATION_MB = 16;

/** Threads that score chunks side by side; each chunk goes to the one with the least to do. */
export class ScoringThreads {
  private readonly threads: readonly ScoringThread[];

  constructor(
    count: number,
    private readonly order: Omit<ThreadOrder, 'ended'>,
  ) {
    const ended = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.threads = Array.from({ length: count }, () => new ScoringThread({ ...order, ended }));
  }

  /** @returns what the output has beside the input's columns. @throws ArtifactError */
  async start(): Promise<readonly AddedColumn[]> {
    try {
      const [added] = await Promise.all(this.threads.map((thread) => thread.ready));
      return added!;
    } catch (cause) {
      throw new ArtifactError(this.order.artifact.folder, (cause as Error).message, { cause });
    }
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
  readonly ready: Promise<readonly AddedColumn[]>;
  private readonly worker: Worker;
  private readonly waiting: { resolve(reply: Reply): void; reject(error: Error): void }[] = [];
  private readonly exited: Promise<unknown>;
  private failure?: Error;

  constructor(private readonly order: ThreadOrder) {
    this.worker = new Worker(WORKER, {
      workerData: order,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.worker.on('message', (reply: Reply) => this.waiting.shift()?.resolve(reply));
    this.worker.on('error', (error) => this.fail(error as Error));
    this.worker.on('exit', () => this.fail(new Error('a thread that scores has ended')));
    this.exited = new Promise((resolve) => this.worker.once('exit', resolve));
    this.ready = this.nextReply().then((reply) => (reply as { added: readonly AddedColumn[] }).added);
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  async score(chunk: Chunk): Promise<ScoredChunk> {
    if (this.failure) throw this.failure;
    const bytes = 'bytes' in chunk ? [chunk.bytes.buffer as ArrayBuffer] : [];
    const { next: _next, share: _share, ...rest } = chunk;
    this.worker.postMessage(rest satisfies ThreadChunk, bytes);
    return ((await this.nextReply()) as { scored: ScoredChunk }).scored;
  }

  /**
   * It ends by itself, behind the run that it is in: where a thread is terminated within ONNX Runtime, the whole process
   * is aborted now and then. What it was to score is rejected at once.
   */
  async end(): Promise<void> {
    this.fail(new Error('a thread that scores was told to end'));
    Atomics.store(this.order.ended, 0, 1);
    this.worker.postMessage('end');
    await this.exited;
  }

  private async nextReply(): Promise<Reply> {
    const reply = await new Promise<Reply>((resolve, reject) => this.waiting.push({ resolve, reject }));
    if (!('error' in reply)) return reply;
    throw reply.isInputError ? new InputError(reply.error) : new Error(reply.error);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}

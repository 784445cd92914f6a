import { fork, type ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { Calls, type Reply } from '#libs/calls';
import { ArtifactError, type Artifact } from './artifact.js';
import type { MeasuredRun, Place } from './place.js';
import type { ElementType, InputTensor, Prediction, Row } from './row.js';

/** What the process is asked to do, one thing after another: read a folder, then load it, then run rows. */
export type Order = { read: string } | { load: Place | undefined } | readonly Row[];

export type Answer = Described | Loaded | Prediction[];

/** What an artifact says about itself. */
export type Described = Pick<Artifact, 'manifest' | 'columns' | 'contentSha256'>;

/** What was found once the model was warm and had reproduced its golden values. */
export interface Loaded {
  place: Place;
  /** The largest batch that the model may run there, and how long it takes. */
  batch: MeasuredRun;
  /** What it was measured with. */
  sample: Row;
  inputs: readonly InputTensor[];
  /** What the graph takes, one per column. */
  elementTypes: readonly ElementType[];
  /** What could not be checked, one sentence each. */
  warnings: readonly string[];
  /** Whether it may be checked on the event loop next time. */
  isQuickToCheck: boolean;
}

export interface ProcessLimits {
  /** For reading, loading and checking together: a graph that never ends would take forever. */
  checkTimeoutMs?: number;
  /** How much the process may hold, including the 70 MB that it takes without a model. */
  maxMemoryBytes?: number;
  /** Ends the process if it is not loaded yet. */
  signal?: AbortSignal;
}

/** The process of a model has ended, and no longer answers. */
export class ModelEnded extends Error {}

/** What the watch in the process writes before it ends it. */
export const MEMORY_EXCEEDED = 'memory exceeded';

const MIB = 1024 ** 2;
const DEFAULT_CHECK_TIMEOUT_MS = 60_000;
const DEFAULT_MAX_MEMORY_BYTES = 2048 * MIB;

/** How much of standard error is kept; nothing is written there as long as all is well. */
const COMPLAINT_CHARACTERS = 2_000;

/** The built file, even if TypeScript runs from its source: a Node process cannot run our TypeScript. */
const ENTRY = createRequire(import.meta.url).resolve('#model-process');

/**
 * A process with one model in it, seen from outside. An artifact is somebody else's program: it is read, loaded and
 * run where it can take neither our memory nor our time, and where it sees none of our secrets.
 *
 * Invariants
 * - it is ended by SIGKILL, the only certain way out of a run inside ONNX Runtime;
 * - it ends when we do, however we end, and by itself when it holds more than `maxMemoryBytes`;
 * - once it has ended, whatever waits is rejected, and so is whatever is asked of it afterwards.
 */
export class ModelProcess {
  /** What was read. */
  described!: Described;
  private readonly child: ChildProcess;
  private readonly calls = new Calls<Answer>((reason) => new Error(reason));
  private readonly ended: Promise<void>;
  private readonly deadline: NodeJS.Timeout;
  private complaint = '';

  private constructor(
    private readonly folder: string,
    private readonly limits: ProcessLimits,
  ) {
    const { checkTimeoutMs = DEFAULT_CHECK_TIMEOUT_MS, maxMemoryBytes = DEFAULT_MAX_MEMORY_BYTES } = limits;
    this.child = fork(ENTRY, [folder, `${maxMemoryBytes}`, `${process.pid}`], {
      // Keeps NaN and infinities as they are.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ORT_DISABLE_TELEMETRY: '1' },
      execArgv: [],
    });
    this.child.on('message', (reply: Reply<Answer>) => this.calls.settle(reply));
    // If it could not be started, there is none.
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaint = (this.complaint + text).slice(-COMPLAINT_CHARACTERS);
    });
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => {
        if (this.child.pid !== undefined) return;
        this.end(new Error(`No process can be started for a model: ${error.message}`));
        resolve();
      });
      // Not `exit`: its last output may still be on its way then.
      this.child.once('close', (code, signal) => {
        this.end(new ModelEnded(this.reasonOf(code, signal, maxMemoryBytes)));
        resolve();
      });
    });
    this.deadline = setTimeout(
      () => this.end(new ModelEnded(`it was not loaded and checked within ${checkTimeoutMs / 1000} s`)),
      checkTimeoutMs,
    );
    limits.signal?.addEventListener('abort', this.abort);
  }

  /** Starts a process that reads and checks the files. @throws ArtifactError */
  static async open(folder: string, limits: ProcessLimits = {}): Promise<ModelProcess> {
    limits.signal?.throwIfAborted();
    const opened = new ModelProcess(folder, limits);
    opened.described = (await opened.check({ read: folder })) as Described;
    return opened;
  }

  /** Loads the model, warms it up, measures it and compares it with its golden values. @throws ArtifactError */
  async load(place?: Place): Promise<Loaded> {
    const loaded = (await this.check({ load: place })) as Loaded;
    this.leaveLimits();
    // A caller keeps our process alive, for as long as its time limit; an idle model does not.
    this.child.unref();
    this.child.channel!.unref();
    (this.child.stderr as Socket).unref();
    return loaded;
  }

  /** Whether it will never answer again. */
  get hasEnded(): boolean {
    return this.calls.endReason !== undefined;
  }

  get endReason(): string | undefined {
    return this.calls.endReason?.message;
  }

  /** One prediction per row, in order. A run that takes longer than the limit ends the process. */
  async run(rows: readonly Row[], limitMs: number): Promise<Prediction[]> {
    const limit = setTimeout(
      () => this.end(new ModelEnded(`it did not finish a run within ${limitMs / 1000} s`)),
      limitMs,
    );
    try {
      return (await this.ask(rows)) as Prediction[];
    } finally {
      clearTimeout(limit);
    }
  }

  /** Ends at once, even in the middle of a run. */
  async release(): Promise<void> {
    this.child.ref();
    this.end(new ModelEnded('it was released'));
    await this.ended;
  }

  private async check(order: Order): Promise<Answer> {
    try {
      return await this.ask(order);
    } catch (cause) {
      await this.release();
      // An abort or a failed start is not the artifact's fault.
      const isOurs = this.limits.signal?.aborted || this.child.pid === undefined;
      throw isOurs ? cause : new ArtifactError(this.folder, (cause as Error).message, { cause });
    }
  }

  private ask(order: Order): Promise<Answer> {
    return this.calls.make(() => {
      // What can no longer be sent is rejected when the process has closed.
      if (this.child.pid !== undefined) this.child.send(order as object, () => undefined);
    });
  }

  private end(failure: Error): void {
    if (this.hasEnded) return;
    this.leaveLimits();
    this.child.kill('SIGKILL');
    this.calls.end(failure);
  }

  private leaveLimits(): void {
    clearTimeout(this.deadline);
    this.limits.signal?.removeEventListener('abort', this.abort);
  }

  private readonly abort = () => this.end(this.limits.signal!.reason as Error);

  private reasonOf(code: number | null, signal: string | null, maxMemoryBytes: number): string {
    if (this.complaint.includes(MEMORY_EXCEEDED)) {
      return `it took more than ${Math.round(maxMemoryBytes / MIB)} MiB of memory`;
    }
    const shortage = signal === 'SIGKILL' ? ', perhaps because this machine was short of memory' : '';
    return `its process ended with ${signal ?? `code ${code}`}${shortage}`;
  }
}

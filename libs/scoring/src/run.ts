import { loadCheckpoint, removeCheckpoint, saveCheckpoint, type Checkpoint } from './checkpoint.js';
import type { Chunk } from './input.js';
import { InputError, NotResumable, type ScoringOrder, type ScoringResult } from './order.js';
import { OutputFile, type Framing } from './output-file.js';
import type { Position } from './record-chunks.js';
import type { ScoredChunk } from './scoring-threads.js';

/** The first comes sooner: work of a few seconds should not be done twice either. */
const CHECKPOINT_AFTER_MS = { first: 200, others: 2_000 };

type Framings = Record<'output' | 'errorsOutput', Framing>;

/** What a run has written so far, and the checkpoints that record it. */
export class Run {
  private nextCheckpointAt = performance.now() + CHECKPOINT_AFTER_MS.first;
  private readonly resumedRows: number;

  private constructor(
    private readonly order: ScoringOrder,
    /** Which model scores which file into which. */
    private readonly identity: string,
    private readonly output: OutputFile,
    private readonly errorsOutput: OutputFile | undefined,
    private rows: number,
    private errors: number,
    private unpackedBytes: number,
    /** The position in the input; undefined at the beginning. */
    public next: Position | undefined,
  ) {
    this.resumedRows = rows;
  }

  /** Starts from the beginning, or goes on from the last checkpoint. @throws NotResumable if that is another run's */
  static async begin(order: ScoringOrder, identity: string, framings: Framings): Promise<Run> {
    const { path } = order.output;
    const found = order.resume && path !== undefined ? await loadCheckpoint(path) : undefined;
    if (found) return Run.resume(order, path!, identity, framings, found);
    if (path !== undefined) await removeCheckpoint(path);
    const output = await OutputFile.create(path, framings.output);
    const errorsOutput =
      order.errorsOutput === undefined
        ? undefined
        : await OutputFile.create(order.errorsOutput.path, framings.errorsOutput).catch(async (error) => {
            await output.discard();
            throw error;
          });
    return new Run(order, identity, output, errorsOutput, 0, 0, 0, undefined);
  }

  private static async resume(
    order: ScoringOrder,
    path: string,
    identity: string,
    framings: Framings,
    // Missing counts mean a checkpoint of an older version.
    { run, next, rows, errors, unpackedBytes = 0, output, errorsOutput }: Checkpoint,
  ): Promise<Run> {
    if (run !== identity) {
      throw new NotResumable(
        `${path} cannot be resumed: the input, the model or the options are not those it was begun with. ` +
          `Start again, without --resume.`,
      );
    }
    return new Run(
      order,
      identity,
      await OutputFile.resume(path, framings.output, output),
      errorsOutput &&
        (await OutputFile.resume(order.errorsOutput!.path, framings.errorsOutput, errorsOutput)),
      rows,
      errors,
      unpackedBytes,
      next,
    );
  }

  async write({ next, share }: Chunk, scored: ScoredChunk): Promise<void> {
    this.unpackedBytes += scored.unpackedBytes;
    this.refuseTooLarge();
    await this.order.beforeWrite?.(
      this.output.bytesWith(scored.output) + (this.errorsOutput?.bytesWith(scored.errorsOutput!) ?? 0),
    );
    await this.output.append(scored.output);
    if (scored.errorsOutput) await this.errorsOutput!.append(scored.errorsOutput);
    this.next = next;
    this.rows += scored.rows;
    this.errors += scored.errors;
    const { rows, resumedRows, errors } = this;
    this.order.onProgress?.({ rows, resumedRows, errors, share });
    if (performance.now() > this.nextCheckpointAt) await this.save();
  }

  private refuseTooLarge(): void {
    const { maxUnpackedBytes = Infinity } = this.order;
    if (this.unpackedBytes <= maxUnpackedBytes) return;
    throw new InputError(
      `The input has more than ${maxUnpackedBytes} bytes when it is unpacked, the most that is allowed.`,
    );
  }

  /** The files get their names. */
  async finish(): Promise<ScoringResult> {
    const files = [this.output, this.errorsOutput];
    for (const file of files) await file?.finish();
    for (const file of files) await file?.publish();
    if (this.order.output.path !== undefined) await removeCheckpoint(this.order.output.path);
    return { rows: this.rows, errors: this.errors, resumedRows: this.resumedRows };
  }

  /** What was interrupted can be resumed; a failed run leaves nothing behind. */
  async stop(why: 'interrupted' | 'failed'): Promise<void> {
    const files = [this.output, this.errorsOutput];
    if (why === 'interrupted' && this.next) {
      await this.save();
      for (const file of files) await file?.close();
      return;
    }
    for (const file of files) await file?.discard();
    if (this.order.output.path !== undefined) await removeCheckpoint(this.order.output.path);
  }

  private async save(): Promise<void> {
    const { path } = this.order.output;
    if (path === undefined) return;
    const [output, errorsOutput] = await Promise.all([this.output.sync(), this.errorsOutput?.sync()]);
    const { identity: run, next, rows, errors, unpackedBytes } = this;
    await saveCheckpoint(path, { run, next: next!, rows, errors, unpackedBytes, output, errorsOutput });
    this.nextCheckpointAt = performance.now() + CHECKPOINT_AFTER_MS.others;
  }
}

import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { ChangeListener, isUnavailable } from '#libs/database';
import { isDiskFull } from '#libs/durable-files';
import { Problem } from '#libs/errors';
import { ArtifactError } from '#libs/inference';
import { ModelRegistry } from '#libs/models';
import { DataSource } from 'typeorm';
import { BatchFiles } from './batch-files.js';
import { BATCHES_CHANNEL, BatchQueue } from './batch-queue.js';
import { LostBatches } from './lost-batches.js';
import { NO_ROOM, OutputLimits, OutputRefused } from './output-limits.js';
import { LEASE_MS, RunningBatch, type Progress, type TakenBatch } from './running-batch.js';

/** The fallback for notifications, and how soon the batch of a dead worker is found. */
const LOOK_EVERY_MS = 1_000;

/** Works on one batch after another, with all cores. */
@Injectable()
export class BatchWorker {
  private readonly logger = new Logger(BatchWorker.name);
  private running?: RunningBatch;
  private isWaitingForRoom = false;
  /** Until then no worker is considered dead: one that lost the database, as we did, has yet to report. */
  private patientUntil = -Infinity;
  private wake = () => {};

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly dataSource: DataSource,
    changes: ChangeListener,
    private readonly registry: ModelRegistry,
    private readonly queue: BatchQueue,
    private readonly files: BatchFiles,
    private readonly lost: LostBatches,
  ) {
    const wake = () => this.wake();
    changes.subscribe(BATCHES_CHANNEL, wake, wake);
  }

  /** Runs until `stop`; then the current batch is given back at its checkpoint. */
  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener('abort', () => {
      this.running?.interrupt();
      this.wake();
    });
    while (!stop.aborted) {
      const waiting = new Promise<void>((resolve) => (this.wake = resolve));
      const found = await this.workOnNext(stop).catch((error: Error) => {
        // It will be back; whichever worker looks next finds our batch again.
        if (isUnavailable(error)) this.logger.warn(`no work at the moment: ${error.message}`);
        else this.logger.error(error.message, error.stack);
        this.patientUntil = performance.now() + LEASE_MS;
        return false;
      });
      if (found || stop.aborted) continue;
      const timer = setTimeout(this.wake, LOOK_EVERY_MS);
      await waiting;
      clearTimeout(timer);
    }
  }

  private async workOnNext(stop: AbortSignal): Promise<boolean> {
    if (performance.now() > this.patientUntil) await this.lost.recover();
    if (!(await this.hasRoom())) return false;
    const running = await RunningBatch.takeNext(this.dataSource, this.queue);
    if (!running) return false;
    this.running = running;
    if (stop.aborted) running.interrupt();
    try {
      await this.work(running, stop);
    } finally {
      running.letGo();
      this.running = undefined;
    }
    return true;
  }

  /** Nothing is begun on a disk without room for it: it waits in the queue. */
  private async hasRoom(): Promise<boolean> {
    const hadRoom = !this.isWaitingForRoom;
    this.isWaitingForRoom = (await this.files.room()) < 0;
    if (this.isWaitingForRoom && hadRoom) {
      this.logger.warn('the disk of BATCH_DIR has less than BATCH_DISK_RESERVE_BYTES left: batches wait');
    }
    return !this.isWaitingForRoom;
  }

  private async work(running: RunningBatch, stop: AbortSignal): Promise<void> {
    const { batch } = running;
    const { id } = batch;
    const limits = new OutputLimits(this.config, this.files, running);
    const progress = new MeasuredProgress(batch, limits);
    this.logger.log(`batch ${id}: run ${batch.runs}, ${batch.model} ${batch.modelVersion}`);
    void running.keepReporting(() => progress.now());
    try {
      await this.score(running, progress, limits);
      const output = await this.files.seal(this.files.outputOf(batch));
      await running.succeed(progress.now(), output, this.config.batchTtlHours);
    } catch (error) {
      await running.report().catch(() => undefined);
      if (running.isHeld && (stop.aborted || error instanceof Postponed)) await running.giveBack();
      else if (running.isHeld) await running.fail(await this.reasonOf(error as Error, batch));
    }
    this.logger.log(`batch ${id}: ${running.outcome}`);
    if (running.outcome === 'succeeded') await this.files.removeInput(id);
    if (running.outcome === 'failed' || running.outcome === 'cancelled') await this.files.remove(id);
  }

  private async score(
    { batch, signal }: RunningBatch,
    progress: MeasuredProgress,
    limits: OutputLimits,
  ): Promise<void> {
    const version = await this.registry.find(batch.model, batch.modelVersion).catch((cause) => {
      throw cause instanceof Problem ? cause : new Postponed('The registry does not answer.', { cause });
    });
    const model = await this.registry.folderOf(version);
    const path = await this.files.beginRun(batch);
    // Loaded only by the process that scores, not by the others that use batches.
    const { NotResumable, scoreFile } = await import('#libs/scoring');

    const score = (resume: boolean) =>
      scoreFile({
        model,
        input: { path: this.files.inputOf(batch.id), format: batch.format },
        output: { path, format: batch.format },
        resume,
        signal,
        maxUnpackedBytes: this.config.maxBatchUnpackedBytes,
        beforeWrite: (bytes) => limits.growTo(bytes),
        onProgress: (given) => progress.update(given),
      });
    const totals = await score(true).catch((error: Error) => {
      // Another version of this program may have written it.
      if (!(error instanceof NotResumable)) throw error;
      this.logger.warn(`batch ${batch.id}: begun anew: ${error.message}`);
      return score(false);
    });
    progress.update({ rows: totals.rows, errors: totals.errors, share: 1 });
  }

  /** The reason for the person who sent the file. Errors of our own go to the log. */
  private async reasonOf(error: Error, { id, model, modelVersion }: TakenBatch): Promise<string> {
    const { InputError, shortened } = await import('#libs/scoring');
    if (error instanceof InputError) return withoutPath(error.message, this.files.inputOf(id));
    if (error instanceof OutputRefused) return error.message;
    const which = `Version ${modelVersion} of the model ${model}`;
    this.logger.error(`batch ${id}: ${error.message}`, error.stack);
    if (error instanceof ArtifactError) return shortened(`${which} cannot be used: ${error.detail}.`);
    if (error instanceof Problem && error.code === 'model-not-found') return `${which} was removed.`;
    if (isDiskFull(error)) return NO_ROOM;
    return 'Something failed for a reason of ours. It is in our log, by the id of this batch.';
  }
}

/** The sender should not see folders of this machine. */
function withoutPath(message: string, path: string): string {
  const named = message.replaceAll(path, 'the file');
  return named.charAt(0).toUpperCase() + named.slice(1);
}

/** Nothing is wrong with the batch: it is for later. */
class Postponed extends Error {}

/** How far a run is, and its rate since it began, which may have been in the middle. */
class MeasuredProgress {
  private readonly startedAt = performance.now();
  private latest: { rows: number; errors: number; share: number };
  /** Where it began; known with the first chunk, if there was a run before. */
  private firstRow?: number;

  constructor(
    { runs, rows, errors, shareDone }: TakenBatch,
    private readonly output: { readonly bytes: number },
  ) {
    this.latest = { rows, errors, share: shareDone };
    if (runs === 1) this.firstRow = 0;
  }

  update(given: { rows: number; errors: number; share: number }): void {
    this.firstRow ??= given.rows;
    this.latest = given;
  }

  now(): Progress {
    const { rows, errors, share } = this.latest;
    const seconds = (performance.now() - this.startedAt) / 1_000;
    return {
      rows,
      errors,
      shareDone: share,
      rowsPerSecond: (rows - (this.firstRow ?? rows)) / seconds,
      writtenBytes: this.output.bytes,
    };
  }
}

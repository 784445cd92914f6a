import type { Config } from '#libs/config';
import { LOOK_EVERY_BYTES, type BatchFiles } from './batch-files.js';
import type { RunningBatch } from './running-batch.js';

/** The output would become too large; the message is for the person who sent the file. */
export class OutputRefused extends Error {}

export const NO_ROOM = 'There was not enough room on the disk. Send the file again when there is.';

/**
 * How large the output of a batch may become: no larger than MAX_BATCH_UNPACKED_BYTES, no larger than
 * MAX_BATCH_BYTES_PER_USER together with its user's other files, and leaving BATCH_DISK_RESERVE_BYTES free on the disk
 * for its other users, one of which may be the database that keeps the record.
 */
export class OutputLimits {
  /** The size of the output so far, at most. */
  bytes: number;
  private lookedAt = -Infinity;

  constructor(
    private readonly config: Pick<Config, 'maxBatchUnpackedBytes' | 'maxBatchBytesPerUser'>,
    private readonly files: Pick<BatchFiles, 'room'>,
    private readonly running: Pick<RunningBatch, 'batch' | 'othersBytes'>,
  ) {
    this.bytes = running.batch.writtenBytes;
  }

  /** @throws OutputRefused if it may not have this many bytes */
  async growTo(bytes: number): Promise<void> {
    const { maxBatchUnpackedBytes, maxBatchBytesPerUser } = this.config;
    if (bytes > maxBatchUnpackedBytes) {
      throw new OutputRefused(
        `The output would have more than the ${maxBatchUnpackedBytes} bytes that MAX_BATCH_UNPACKED_BYTES allows. ` +
          `Send the file in smaller parts.`,
      );
    }
    const { batch, othersBytes } = this.running;
    if (othersBytes + batch.inputBytes + bytes > maxBatchBytesPerUser) {
      throw new OutputRefused(
        `With this output your files and outputs would have more than the ${maxBatchBytesPerUser} bytes that ` +
          `MAX_BATCH_BYTES_PER_USER allows. Delete those that you have fetched, and send the file again.`,
      );
    }
    if (bytes - this.lookedAt >= LOOK_EVERY_BYTES) {
      if ((await this.files.room()) < bytes - this.bytes) throw new OutputRefused(NO_ROOM);
      this.lookedAt = bytes;
    }
    this.bytes = bytes;
  }
}

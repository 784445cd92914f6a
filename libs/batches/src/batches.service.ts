import { randomUUID } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Problem, type Actor } from '#libs/errors';
import { ModelRegistry, parseModelReference, type ModelVersion } from '#libs/models';
import { DataSource, IsNull, type EntityManager, type Repository } from 'typeorm';
import { Batch, type BatchFormat } from './batch.entity.js';
import { BatchFiles, storageFull, type Digest } from './batch-files.js';
import { BatchQueue, transactionOf } from './batch-queue.js';
import { keptBytes } from './kept-bytes.js';

export interface Submission {
  actor: Actor;
  /** As in `parseModelReference`. */
  model: string;
  format: BatchFormat;
  /** The file, not yet read. */
  upload: AsyncIterable<Uint8Array>;
  /** How long the file is according to its sender. */
  declaredBytes?: number;
}

/** What callers do with batches. They see only their own, unless they are admins. */
@Injectable()
export class BatchesService {
  private readonly batches: Repository<Batch>;
  /** By user, in this process: uploads have no rows yet, but take room on the disk all the same. */
  private readonly uploading = new Map<number, number>();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly dataSource: DataSource,
    private readonly registry: ModelRegistry,
    private readonly queue: BatchQueue,
    private readonly files: BatchFiles,
  ) {
    this.batches = dataSource.getRepository(Batch);
  }

  /**
   * Stores the file and queues it. Whatever can be refused without the file is refused before it is read.
   * @throws Problem `model-not-found`, `body-too-large`, `too-many-batches`, `storage-full`
   */
  async submit({ actor, model, format, upload, declaredBytes = 0 }: Submission): Promise<Batch> {
    const version = await this.resolve(model);
    const { userId } = actor;
    const unfinished = await this.countUnfinished(this.dataSource.manager, userId);
    const kept = await this.keptBytes(this.dataSource.manager, userId);
    const check = (bytes: number) => {
      this.refuseTooLarge(bytes);
      this.refuseTooMuch(kept, bytes);
    };
    check(declaredBytes);
    const uploading = this.uploading.get(userId) ?? 0;
    this.refuseTooMany(unfinished + uploading);
    this.uploading.set(userId, uploading + 1);
    try {
      if ((await this.files.room()) < declaredBytes) throw storageFull();
      const id = randomUUID();
      const input = await this.files.receive(id, upload, check);
      return await this.add({ id, userId, format }, version, input);
    } finally {
      const left = this.uploading.get(userId)! - 1;
      if (left > 0) this.uploading.set(userId, left);
      else this.uploading.delete(userId);
    }
  }

  /** @throws Problem `batch-not-found` */
  async find(actor: Actor, id: string): Promise<Batch> {
    const batch = await this.batches.findOneBy({ id: isUuid(id) ? id : NOBODYS, ...visibleTo(actor) });
    if (!batch) throw new Problem('batch-not-found', 'There is no such batch.');
    return batch;
  }

  /** Newest first, below `cursor` (an id), with the id to continue below; null on the last page. */
  async page(actor: Actor, limit: number, cursor?: string) {
    const query = this.batches.createQueryBuilder('batch').where(visibleTo(actor));
    if (cursor !== undefined) {
      query.andWhere(
        '(batch.createdDatetime, batch.id) < (SELECT created_datetime, id FROM batches WHERE id = :cursor)',
        { cursor },
      );
    }
    const found = await query
      .orderBy({ 'batch.createdDatetime': 'DESC', 'batch.id': 'DESC' })
      .limit(limit + 1)
      .getMany();
    const items = found.slice(0, limit);
    return { items, nextCursor: found.length > limit ? items.at(-1)!.id : null };
  }

  /**
   * The output, open for reading; the caller closes it.
   * @throws Problem `batch-not-found`, `batch-not-finished`, `batch-without-output`, `batch-expired`
   */
  async openOutput(actor: Actor, id: string): Promise<{ batch: Batch; file: FileHandle }> {
    const batch = await this.find(actor, id);
    if (batch.finishedDatetime === null) {
      throw new Problem(
        'batch-not-finished',
        `The batch is ${batch.state}. Its output is available when it has finished.`,
      );
    }
    if (batch.state !== 'succeeded') {
      throw new Problem('batch-without-output', `The batch is ${batch.state}, and has no output.`);
    }
    if (batch.expiresDatetime! <= new Date()) throw expired();
    const file = await open(this.files.outputOf(batch)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? expired() : error;
    });
    return { batch, file };
  }

  /**
   * Cancels it or, if it is finished, deletes its output. The row stays.
   * @throws Problem `batch-not-found`
   */
  async remove(actor: Actor, id: string): Promise<void> {
    const batch = await this.find(actor, id);
    await this.dataSource.transaction(async (manager) => {
      await this.queue.remove(transactionOf(manager), batch.id);
      await manager.query(
        `UPDATE batches SET
           state = CASE WHEN finished_datetime IS NULL THEN 'cancelled' ELSE state END,
           rows_per_second = CASE WHEN finished_datetime IS NULL THEN NULL ELSE rows_per_second END,
           lease_expires_datetime = NULL,
           finished_datetime = coalesce(finished_datetime, now()),
           expires_datetime = CASE WHEN expires_datetime > now() THEN now() ELSE expires_datetime END
         WHERE id = $1`,
        [batch.id],
      );
    });
    // A worker that is working on it notices within a second, and removes them itself.
    if (batch.state !== 'running') await this.files.remove(batch.id);
  }

  /** Whether there is work for a worker. */
  hasUnfinished(): Promise<boolean> {
    return this.batches.existsBy({ finishedDatetime: IsNull() });
  }

  /** Removes the files of batches that have ended, and what a crash has left behind. */
  async sweep(): Promise<void> {
    await this.files.sweep(async (ids) => {
      const rows = await this.dataSource.query<{ id: string; needed: boolean }[]>(
        `SELECT id, finished_datetime IS NULL OR coalesce(expires_datetime > now(), false) AS needed
         FROM batches WHERE id = ANY($1::uuid[])`,
        [ids],
      );
      return new Map(rows.map(({ id, needed }) => [id, needed]));
    });
  }

  private async resolve(model: string): Promise<ModelVersion> {
    const version = await this.registry.resolve(parseModelReference(model));
    if (version.state === 'ready') return version;
    throw new Problem(
      'model-not-found',
      `Version ${version.version} of the model ${version.name} failed its last check.`,
    );
  }

  private async add(
    batch: Pick<Batch, 'id' | 'userId' | 'format'>,
    version: ModelVersion,
    input: Digest,
  ): Promise<Batch> {
    try {
      return await this.dataSource.transaction(async (manager) => {
        // Two that come at the same time count one after the other. A user who may only read cannot take this lock, and
        // foreign keys do not wait for it.
        await manager.query(`SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE`, [batch.userId]);
        this.refuseTooMany(await this.countUnfinished(manager, batch.userId));
        this.refuseTooMuch(await this.keptBytes(manager, batch.userId), input.bytes);
        await manager.insert(Batch, {
          ...batch,
          model: version.name,
          modelVersion: version.version,
          inputBytes: input.bytes,
          inputSha256: input.sha256,
        });
        await this.queue.add(transactionOf(manager), batch.id);
        return manager.findOneByOrFail(Batch, { id: batch.id });
      });
    } catch (error) {
      // After any other failure we do not know if the row is there: a file without one is swept away later.
      if (error instanceof Problem) await this.files.remove(batch.id);
      throw error;
    }
  }

  private countUnfinished(manager: EntityManager, userId: number): Promise<number> {
    return manager.countBy(Batch, { userId, finishedDatetime: IsNull() });
  }

  private async keptBytes(manager: EntityManager, userId: number): Promise<number> {
    const [row] = await manager.query<{ bytes: number }[]>(keptBytes('user_id = $1'), [userId]);
    return row!.bytes;
  }

  private refuseTooLarge(bytes: number): void {
    const { maxBatchBytes } = this.config;
    if (bytes <= maxBatchBytes) return;
    throw new Problem(
      'body-too-large',
      `The file has more than ${maxBatchBytes} bytes, the most that MAX_BATCH_BYTES allows.`,
    );
  }

  private refuseTooMuch(kept: number, bytes: number): void {
    const { maxBatchBytesPerUser } = this.config;
    if (kept + bytes <= maxBatchBytesPerUser) return;
    throw new Problem(
      'too-many-batches',
      `Your files and outputs have ${kept} bytes, and may have ${maxBatchBytesPerUser} together with this one. ` +
        `DELETE /batches/{id} deletes an output that you have fetched.`,
    );
  }

  private refuseTooMany(unfinished: number): void {
    const { maxBatchesPerUser } = this.config;
    if (unfinished < maxBatchesPerUser) return;
    throw new Problem(
      'too-many-batches',
      `You have ${unfinished} unfinished batches, and may have ${maxBatchesPerUser}.`,
    );
  }
}

/** An id that no batch has. */
const NOBODYS = '00000000-0000-0000-0000-000000000000';

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

function visibleTo({ role, userId }: Actor): { userId?: number } {
  return role === 'admin' ? {} : { userId };
}

function expired(): Problem {
  return new Problem('batch-expired', 'The output of this batch was deleted.');
}

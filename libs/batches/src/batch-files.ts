import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  constants,
  copyFile,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { isDiskFull, nameDraft, sync } from '#libs/durable-files';
import { Problem } from '#libs/errors';
import type { Batch } from './batch.entity.js';

export interface Digest {
  bytes: number;
  sha256: string;
}

/** Anything in progress changes at least every 30 seconds; what has not changed for this long was left by a crash. */
const LEFT_BEHIND_AFTER_MS = 600_000;

const INCOMING = '.incoming-';
const OUTGOING = '.outgoing-';

/** How often the room on the disk is checked while something is written to it. */
export const LOOK_EVERY_BYTES = 1024 ** 2;

/**
 * The files of batches, below BATCH_DIR, which the API and the workers share:
 *
 *     .incoming-<id>/input    while it is uploaded
 *     <id>/input              until it is scored
 *     <id>/run-<n>/output     until it expires; until it is complete, what the scoring needs to go on
 *     .outgoing-<uuid>        while it is removed
 *
 * Every run has a folder of its own, which begins as a copy of what the previous run had reached. So a worker that was
 * believed dead and goes on writing writes into files that nobody reads.
 */
@Injectable()
export class BatchFiles {
  private readonly root: string;
  private readonly reserveBytes: number;

  constructor(@Inject(CONFIG) { batchDir, batchDiskReserveBytes }: Config) {
    this.root = batchDir;
    this.reserveBytes = batchDiskReserveBytes;
  }

  /** How much may be written to the disk before the reserve is touched; negative if it already is. */
  async room(): Promise<number> {
    await mkdir(this.root, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(this.root);
    return bavail * bsize - this.reserveBytes;
  }

  inputOf(id: string): string {
    return join(this.root, id, 'input');
  }

  outputOf({ id, runs }: Pick<Batch, 'id' | 'runs'>): string {
    return join(this.root, id, `run-${runs}`, 'output');
  }

  /**
   * Writes an upload to disk, durably, all of it or nothing.
   * @param check is called for every piece with the number of bytes so far, and throws if they are too many
   * @throws Problem `storage-full`, what `check` throws, and the upload's own error if it breaks off
   */
  async receive(
    id: string,
    upload: AsyncIterable<Uint8Array>,
    check: (bytes: number) => void,
  ): Promise<Digest> {
    const draft = join(this.root, INCOMING + id);
    try {
      await mkdir(draft, { recursive: true, mode: 0o700 });
      const digest = await withFile(join(draft, 'input'), 'wx', (file) => this.write(file, upload, check));
      await sync(draft);
      await nameDraft(draft, join(this.root, id));
      return digest;
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw isDiskFull(error) ? storageFull(error) : error;
    }
  }

  private async write(
    file: FileHandle,
    upload: AsyncIterable<Uint8Array>,
    check: (bytes: number) => void,
  ): Promise<Digest> {
    const hash = createHash('sha256');
    let bytes = 0;
    let lookAt = LOOK_EVERY_BYTES;
    for await (const chunk of upload) {
      bytes += chunk.byteLength;
      check(bytes);
      if (bytes >= lookAt) {
        if ((await this.room()) < 0) throw storageFull();
        lookAt = bytes + LOOK_EVERY_BYTES;
      }
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
    return { bytes, sha256: hash.digest('hex') };
  }

  /**
   * Makes the folder of a run, with what the previous run had reached, and returns where its output belongs. Without
   * room for two copies of it, it starts again.
   */
  async beginRun({ id, runs }: Pick<Batch, 'id' | 'runs'>): Promise<string> {
    const output = this.outputOf({ id, runs });
    const folder = dirname(output);
    const earlier = join(folder, 'earlier');
    await mkdir(folder, { mode: 0o700 });
    await mkdir(earlier);
    let last: string | undefined;
    for (const name of await runsBefore(runs, dirname(folder))) {
      // A process that still writes there, by name, no longer finds it, and nothing is added to it while it is removed.
      if (await moved(join(dirname(folder), name), join(earlier, name))) last ??= join(earlier, name);
    }
    if (last !== undefined) await copyCheckpoint(last, folder, await this.room());
    await rm(earlier, { recursive: true });
    return output;
  }

  /** Makes sure that the output is durable, whatever happens, and reads it once more from beginning to end. */
  async seal(output: string): Promise<Digest> {
    const digest = await withFile(output, 'r+', async (file) => {
      const hash = createHash('sha256');
      for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 ** 2 })) {
        hash.update(chunk as Buffer);
      }
      await file.sync();
      return { bytes: (await file.stat()).size, sha256: hash.digest('hex') };
    });
    await sync(dirname(output));
    await sync(dirname(dirname(output)));
    return digest;
  }

  async removeInput(id: string): Promise<void> {
    await rm(this.inputOf(id), { force: true });
  }

  async remove(id: string): Promise<void> {
    // A worker that does not know yet no longer finds it, and adds nothing to it while it is removed.
    const aside = join(this.root, OUTGOING + randomUUID());
    if (await moved(join(this.root, id), aside)) await rm(aside, { recursive: true, force: true });
  }

  /**
   * Removes what is no longer needed, and what a crash has left behind.
   * @param isNeeded says for each id whether its files are still needed; ids without a batch are left out
   */
  async sweep(isNeeded: (ids: string[]) => Promise<Map<string, boolean>>): Promise<void> {
    const names = await readdir(this.root).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const ids = names.filter((name) => /^[0-9a-f-]{36}$/.test(name));
    const needed = ids.length > 0 ? await isNeeded(ids) : new Map<string, boolean>();
    for (const name of names) {
      const isOurs = ids.includes(name) || name.startsWith(INCOMING) || name.startsWith(OUTGOING);
      if (!isOurs || needed.get(name) === true) continue;
      if (needed.get(name) === false || (await isLeftBehind(join(this.root, name)))) await this.remove(name);
    }
  }
}

async function withFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

export function storageFull(cause?: unknown): Problem {
  const detail = 'There is not enough room on the disk. Nothing of the file was kept.';
  return new Problem('storage-full', detail, { cause });
}

/** The folders of the runs before this one, the latest first. A worker that wakes up late also finds later ones. */
async function runsBefore(runs: number, folder: string): Promise<string[]> {
  const numberOf = (name: string) => Number(name.slice('run-'.length));
  return (await readdir(folder))
    .filter((name) => name.startsWith('run-') && numberOf(name) < runs)
    .toSorted((a, b) => numberOf(b) - numberOf(a));
}

/** False if it is not there: another run that is beginning has moved it. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync(from)) return false;
    throw error;
  }
}

/**
 * The output last: if another process still writes there, it then holds at least what the checkpoint says, which was
 * copied before it, and the rest of it is written again. Without an unfinished output there is nothing to go on from.
 */
async function copyCheckpoint(from: string, to: string, room: number): Promise<void> {
  const names = (await readdir(from)).filter((name) => /\.partial(\.checkpoint)?$/.test(name));
  const output = names.find((name) => name.endsWith('.partial'));
  if (output === undefined || (await stat(join(from, output))).size > room) return;
  for (const name of [...names.filter((name) => name !== output), output]) {
    await copyFile(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
  }
}

async function isLeftBehind(folder: string): Promise<boolean> {
  const times = await Promise.all(
    [folder, join(folder, 'input')].map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Date.now() - Math.max(...times) > LEFT_BEHIND_AFTER_MS;
}

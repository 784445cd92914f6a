import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { RowGroup } from 'hyparquet';
import { isDiskFull, nameDraft } from '#libs/durable-files';
import { NotResumable } from './order.js';

/** What comes before and after all rows. */
export interface Framing {
  readonly header: Uint8Array;
  footer(rowGroups: readonly RowGroup[]): Uint8Array;
}

/** How far a file was written, to go on from there. */
export interface FileState {
  bytes: number;
  rowGroups: readonly RowGroup[];
}

/** One row group of a file that has others as well: the code that puts them together knows its position. */
export interface PlacedLater {
  bytes: Uint8Array;
  rowGroups: RowGroup[];
}

/** What threads write: bytes that follow one another; in Parquet, whole row groups. */
export type Written = Uint8Array | PlacedLater;

/** While it is written, a file has another name. */
export function partialPath(path: string): string {
  return `${path}.partial`;
}

/**
 * A file that gets its name only once it is complete: it is written beside it, made durable, and renamed. Standard
 * output has no name, and receives what is written at once.
 */
export class OutputFile {
  private bytes = 0;
  private rowGroups: RowGroup[] = [];

  private constructor(
    private readonly path: string | undefined,
    private readonly framing: Framing,
    private readonly file: FileHandle | undefined,
  ) {}

  static async create(path: string | undefined, framing: Framing): Promise<OutputFile> {
    // A closed pipe is also reported with each write.
    if (path === undefined) process.stdout.on('error', () => undefined);
    const output = new OutputFile(path, framing, path === undefined ? undefined : await openPartial(path));
    try {
      await output.write(framing.header);
      return output;
    } catch (error) {
      await output.discard();
      throw error;
    }
  }

  /** What was written after the checkpoint is written again. */
  static async resume(path: string, framing: Framing, { bytes, rowGroups }: FileState): Promise<OutputFile> {
    const file = await open(partialPath(path), 'r+').catch(() => undefined);
    if (file === undefined || (await file.stat()).size < bytes) {
      await file?.close();
      throw new NotResumable(
        `${path} cannot be resumed: ${partialPath(path)} is not there, or shorter than it was. ` +
          `Start again, without --resume.`,
      );
    }
    await file.truncate(bytes);
    const output = new OutputFile(path, framing, file);
    output.bytes = bytes;
    output.rowGroups = [...rowGroups];
    return output;
  }

  /** How many bytes it would have with this. */
  bytesWith(written: Written): number {
    return this.bytes + (written instanceof Uint8Array ? written : written.bytes).length;
  }

  async append(written: Written): Promise<void> {
    if (written instanceof Uint8Array) {
      await this.write(written);
      return;
    }
    const by = this.bytes - this.framing.header.length;
    this.rowGroups.push(...written.rowGroups.map((each) => moveRowGroup(each, by)));
    await this.write(written.bytes);
  }

  /** @returns what is durable now */
  async sync(): Promise<FileState> {
    await this.file?.datasync().catch((error) => this.explain(error));
    return { bytes: this.bytes, rowGroups: this.rowGroups };
  }

  async finish(): Promise<void> {
    await this.write(this.framing.footer(this.rowGroups));
    await this.file?.sync().catch((error) => this.explain(error));
  }

  /** Gives it its name. */
  async publish(): Promise<void> {
    if (this.path === undefined) return;
    await this.file!.close();
    await nameDraft(partialPath(this.path), this.path);
  }

  async close(): Promise<void> {
    await this.file?.close();
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.file?.close().catch(() => undefined);
    if (this.path !== undefined) await rm(partialPath(this.path), { force: true });
  }

  private explain(error: NodeJS.ErrnoException): never {
    if (!isDiskFull(error)) throw error;
    throw new Error(
      `The disk is full: ${this.path} would be larger than the ${this.bytes} bytes that could be written. ` +
        `Nothing of it was left; free some space and run again.`,
      { cause: error },
    );
  }

  private async write(bytes: Uint8Array): Promise<void> {
    if (this.file) await writeAt(this.file, bytes, this.bytes).catch((error) => this.explain(error));
    else if (bytes.length > 0) await writeOut(bytes);
    this.bytes += bytes.length;
  }
}

/** A run that could not give its output a name in the end is not begun. */
async function openPartial(path: string): Promise<FileHandle> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new Error(`${path} is a folder, not a file.`);
  // Renaming would replace a device, such as /dev/null, by a file.
  if (found && !found.isFile()) {
    throw new Error(`${path} is no ordinary file and would be replaced by one. Write to standard output: -`);
  }
  try {
    return await open(partialPath(path), 'w');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const folder = dirname(path);
    if (code === 'ENOENT') throw new Error(`There is no folder ${folder} for ${path}.`, { cause: error });
    if (code === 'ENOTDIR') throw new Error(`${folder} is no folder for ${path}.`, { cause: error });
    if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
      throw new Error(`${path} cannot be written: nothing may be written into ${folder}.`, { cause: error });
    }
    throw error;
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

function writeOut(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    process.stdout.write(bytes, (error) => {
      if (!error) resolve();
      else if ((error as NodeJS.ErrnoException).code !== 'EPIPE') reject(error);
      else reject(new Error('Standard output was closed before all of it was written.', { cause: error }));
    }),
  );
}

/** A row group contains its own position: it is moved after what is already there. */
function moveRowGroup(rowGroup: RowGroup, by: number): RowGroup {
  const move = (offset: bigint | undefined) => (offset === undefined ? undefined : offset + BigInt(by));
  return {
    ...rowGroup,
    file_offset: move(rowGroup.file_offset),
    columns: rowGroup.columns.map((column) => ({
      ...column,
      file_offset: move(column.file_offset)!,
      meta_data: column.meta_data && {
        ...column.meta_data,
        data_page_offset: move(column.meta_data.data_page_offset)!,
        dictionary_page_offset: move(column.meta_data.dictionary_page_offset),
      },
    })),
  };
}

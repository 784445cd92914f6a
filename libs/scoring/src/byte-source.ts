import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from './order.js';

const PIECE_BYTES = 128 * 1024;

/** The bytes of a text: a file's or standard input's, decompressed if they begin like gzip. */
export class ByteSource {
  private isCompressed = false;
  /** As they are in the file. */
  private readBytes = 0;
  private pieces!: AsyncIterator<Buffer>;

  private constructor(
    private readonly path: string | undefined,
    private readonly size: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** `signal`: ends the reading with an error. @throws InputError if there is no such file */
  static async open(path: string | undefined, signal?: AbortSignal): Promise<ByteSource> {
    const source = new ByteSource(path, path === undefined ? NaN : await sizeOf(path), signal);
    const raw = source.readRaw();
    const { value: first = Buffer.alloc(0) } = (await raw.next()) as { value?: Buffer };
    source.isCompressed = first[0] === 0x1f && first[1] === 0x8b;
    const all = behind(first, raw);
    source.pieces = source.isCompressed ? decompress(all) : all;
    return source;
  }

  /** The next piece; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    const { value, done } = await this.pieces.next();
    return done ? undefined : (value as Buffer);
  }

  /**
   * What begins at a byte of the text, given what was read of it so far: found at once in a plain file, otherwise by
   * reading up to there.
   */
  async *from(offset: number, begun: Buffer): AsyncGenerator<Buffer> {
    if (offset > begun.length && this.path !== undefined && !this.isCompressed) {
      await this.pieces.return?.();
      yield* this.unlessAborted(createReadStream(this.path, { start: offset, highWaterMark: PIECE_BYTES }));
      return;
    }
    let toSkip = offset;
    for await (const piece of behind(begun, this.pieces)) {
      if (piece.length > toSkip) yield piece.subarray(toSkip);
      toSkip = Math.max(0, toSkip - piece.length);
    }
  }

  /** How much of it is done at this many bytes of the text; NaN if its size is not known. */
  shareAt(offset: number): number {
    return Math.min(1, (this.isCompressed ? this.readBytes : offset) / this.size);
  }

  private async *readRaw(): AsyncGenerator<Buffer> {
    const stream =
      this.path === undefined ? process.stdin : createReadStream(this.path, { highWaterMark: PIECE_BYTES });
    for await (const piece of this.unlessAborted(stream)) {
      this.readBytes += piece.length;
      yield piece;
    }
  }

  /** What is read from a pipe may never come, and is then not waited for: closing a stream waits for its reads. */
  private async *unlessAborted(stream: Readable): AsyncGenerator<Buffer> {
    const pieces = stream[Symbol.asyncIterator]();
    let interrupt = (_reason: unknown) => {};
    const abort = () => interrupt(this.signal!.reason);
    this.signal?.addEventListener('abort', abort);
    try {
      for (;;) {
        const { value, done } = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
          interrupt = reject;
          if (this.signal?.aborted) abort();
          else pieces.next().then(resolve, reject);
        });
        if (done) return;
        yield value;
      }
    } finally {
      this.signal?.removeEventListener('abort', abort);
      stream.destroy();
    }
  }
}

async function* behind(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* { [Symbol.asyncIterator]: () => rest };
}

async function* decompress(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = pipeline(Readable.from(pieces), createGunzip({ chunkSize: PIECE_BYTES }), () => undefined);
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new InputError('The gzip data are damaged, or cut off before their end.', { cause });
  }
}

/** @throws InputError */
export async function sizeOf(path: string): Promise<number> {
  try {
    // Not opened: the writer of a named pipe would take the closing for the end.
    const stats = await stat(path);
    if (stats.isDirectory()) throw new InputError(`${path} is a folder, not a file.`);
    await access(path, constants.R_OK);
    return stats.isFile() ? stats.size : NaN;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new InputError(`There is no file ${path}.`, { cause: error });
    if (code === 'EACCES') throw new InputError(`${path} may not be read.`, { cause: error });
    throw error;
  }
}

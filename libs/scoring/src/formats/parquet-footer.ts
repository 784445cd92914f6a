import { open } from 'node:fs/promises';
import { parquetMetadata, type FileMetaData } from 'hyparquet';
import { InputError } from '../order.js';

/** It is parsed in one go, at 50 ms or so per MiB. Others write under 200 bytes for each column of each row group. */
const MAX_FOOTER_BYTES = 32 * 1024 ** 2;
/** A byte of it may become an object, and all are in memory at once. A column of a row group has about 60. */
const MAX_FOOTER_ITEMS = 8_000_000;
/** What one struct counts for, in fields, in memory. */
const ITEMS_OF_A_STRUCT = 4;
const MAX_DEPTH = 64;

/** The length of the footer, and "PAR1". */
const TAIL_BYTES = 8;

/** A file's list of contents, which is at its end. @throws InputError */
export async function readFooter(path: string, size: number): Promise<FileMetaData> {
  const damaged = (cause: unknown) =>
    new InputError(`${path} is not a Parquet file, or is damaged: ${(cause as Error).message}.`, { cause });
  const file = await open(path);
  try {
    const bytes = async (length: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      if (bytesRead < length) throw damaged(new Error('it is cut off'));
      return buffer;
    };
    const tail = size < TAIL_BYTES ? undefined : await bytes(TAIL_BYTES);
    if (tail?.toString('latin1', 4) !== 'PAR1') throw damaged(new Error('"PAR1" is not at its end'));
    const length = tail.readUInt32LE();
    if (length > size - TAIL_BYTES) throw damaged(new Error('its list of contents is longer than the file'));
    if (length > MAX_FOOTER_BYTES) throw tooLong(path, `${length} bytes`, `${MAX_FOOTER_BYTES}`);
    const footer = await bytes(length + TAIL_BYTES);
    try {
      if (new Items(footer).ofStruct() > MAX_FOOTER_ITEMS) {
        throw tooLong(path, `more than ${MAX_FOOTER_ITEMS} items`, 'as many');
      }
      return parquetMetadata(new Uint8Array(footer), { geoparquet: false });
    } catch (cause) {
      throw cause instanceof InputError ? cause : damaged(cause);
    }
  } finally {
    await file.close();
  }
}

function tooLong(path: string, what: string, most: string): InputError {
  return new InputError(
    `The list of contents of ${path} has ${what}; at most ${most} can be read. ` +
      `Write the file with larger row groups, or with fewer columns.`,
  );
}

/**
 * Counts what would become objects, without making any (Thrift's compact protocol). It stops if there are too many.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
class Items {
  private at = 0;
  private count = 0;

  constructor(private readonly bytes: Buffer) {}

  /** @throws RangeError */
  ofStruct(depth = 0): number {
    if (depth > MAX_DEPTH) throw new RangeError('its list of contents is nested too deeply');
    for (this.count += ITEMS_OF_A_STRUCT; this.count <= MAX_FOOTER_ITEMS; this.count++) {
      const field = this.bytes.readUInt8(this.at++);
      if (field === 0) break;
      if (field >> 4 === 0) this.varint();
      this.skip(field & 0x0f, depth);
    }
    return this.count;
  }

  private skip(type: number, depth: number): void {
    // A boolean is part of its field.
    if (type <= 2) return;
    if (type === 3) this.at += 1;
    else if (type <= 6) this.varint();
    else if (type === 7) this.at += 8;
    else if (type === 8) {
      const length = this.varint();
      this.at += length;
    } else if (type === 12) this.ofStruct(depth + 1);
    else if (type === 9) this.list(depth);
    else throw new RangeError('its list of contents has values of a type that Parquet does not use');
  }

  private list(depth: number): void {
    const header = this.bytes.readUInt8(this.at++);
    const type = header & 0x0f;
    const length = header >> 4 === 15 ? this.varint() : header >> 4;
    for (let item = 0; item < length && this.count <= MAX_FOOTER_ITEMS; item++) {
      // Here it is a byte.
      if (type <= 2) this.at += 1;
      else this.skip(type, depth);
      this.count++;
      if (this.at > this.bytes.length) throw new RangeError('its list of contents is cut off');
    }
  }

  private varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
}

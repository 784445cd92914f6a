import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Decompress, decompress } from 'fzstd';
import { compressors } from 'hyparquet-compressors';

type Decompressor = (input: Uint8Array, size: number) => Uint8Array;

/** Node's own are quicker than the library's, detect damage, and stop at the expected size. */
const OURS: Record<string, Decompressor> = {
  UNCOMPRESSED: (input) => input,
  GZIP: (input, size) => gunzipSync(input, { maxOutputLength: size }),
  BROTLI: (input, size) => brotliDecompressSync(input, { maxOutputLength: size }),
  ZSTD: unpackZstd,
};

/** A page, unpacked to the size that it declares, or not at all. */
export function unpack(codec: string, input: Uint8Array, size: number): Uint8Array {
  // Some of them cannot handle an empty page, as of a column of nulls.
  if (size === 0) return new Uint8Array();
  const decompressor = OURS[codec] ?? (compressors as Record<string, Decompressor | undefined>)[codec];
  if (!decompressor) throw new Error(`its compression, ${codec}, is not known`);
  const page = decompressor(input, size);
  if (page.length !== size) throw new Error(`it unpacks to ${page.length} bytes and should have ${size}`);
  return page;
}

/** The library unpacks everything there is: if the frame does not say how much that is, it is counted. */
function unpackZstd(input: Uint8Array, size: number): Uint8Array {
  if (sizeInFrame(input) === size) return decompress(input);
  const page = new Uint8Array(size);
  let at = 0;
  const stream = new Decompress((chunk) => {
    if (at + chunk.length > size) throw new Error(`it unpacks to more than the ${size} bytes it should have`);
    page.set(chunk, at);
    at += chunk.length;
  });
  stream.push(input, true);
  return page.subarray(0, at);
}

/** RFC 8878 §3.1.1.1: only in frames of one segment or with the flag for it; here of four bytes at most. */
function sizeInFrame(input: Uint8Array): number | undefined {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 14) return undefined;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  switch (descriptor >> 6) {
    case 0:
      return isSingle ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return undefined;
  }
}

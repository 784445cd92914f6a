import { isAscii, isUtf8 } from 'node:buffer';
import { InputError } from '../order.js';

/** @throws InputError naming the first line that is not UTF-8 */
export function decodeText(bytes: Uint8Array, firstLine: number): string {
  const encoding = encodingOf(bytes, firstLine);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding);
}

/** `latin1` if each byte is a character, which is quicker to decode. @throws InputError as above */
export function encodingOf(bytes: Uint8Array, firstLine: number): 'latin1' | 'utf8' {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isAscii(buffer)) return 'latin1';
  if (isUtf8(buffer)) return 'utf8';
  let line = firstLine;
  for (let from = 0; from < buffer.length; line++) {
    const newline = buffer.indexOf(0x0a, from);
    const to = newline < 0 ? buffer.length : newline + 1;
    if (!isUtf8(buffer.subarray(from, to))) break;
    from = to;
  }
  throw new InputError(
    `Line ${line} is not UTF-8. Convert the file first, for example with iconv -f WINDOWS-1252 -t UTF-8.`,
  );
}

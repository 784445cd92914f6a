import { checkCount, checkNames } from '../column-names.js';
import { decodeText } from './text.js';

/** The names in the header. @throws InputError for too many, and for two columns with the same name */
export async function parseHeader(bytes: Uint8Array, delimiter: string): Promise<string[]> {
  checkCount(countColumns(bytes, delimiter));
  const text = decodeText(bytes, 1);
  const columns = text.includes('"') ? await quotedFields(text, delimiter) : plainFields(text, delimiter);
  checkNames(columns);
  return columns;
}

function plainFields(text: string, delimiter: string): string[] {
  return text === '' ? [] : text.replace(/\r?\n$/, '').split(delimiter);
}

/** The parser takes 20 ms to load: it is loaded only for quotes, here and in the threads. */
async function quotedFields(text: string, delimiter: string): Promise<string[]> {
  const { parse } = await import('./quoted-table.js');
  return parse(text, delimiter, 1)[0] ?? [];
}

/** How many columns there seem to be, which is quick to find; few have a delimiter within quotes. */
function countColumns(bytes: Uint8Array, delimiter: string): number {
  const code = delimiter.charCodeAt(0);
  let count = 1;
  for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) count++;
  return count;
}

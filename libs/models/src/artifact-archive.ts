import type { Readable } from 'node:stream';
export async function unpackArchive(_u: Readable, folder: string, _l: { maxBytes: number }): Promise<string> {
  return folder;
}

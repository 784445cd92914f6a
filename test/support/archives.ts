import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import * as tarStream from 'tar-stream';
import { ZipFile } from 'yazl';

interface Options {
  /** The folder of the archive that the files are in, such as `churn/1/`; without it they are at the top. */
  prefix?: string;
}

/** The files of an artifact's folder as .tar.gz. */
export async function tarGz(folder: string, options?: Options): Promise<Buffer> {
  const pack = tarStream.pack();
  for (const [name, content] of await filesIn(folder, options)) pack.entry({ name }, content);
  pack.finalize();
  return gzipSync(await buffer(pack as AsyncIterable<Buffer>));
}

/** The files of an artifact's folder as .zip. */
export async function zip(folder: string, options?: Options): Promise<Buffer> {
  const file = new ZipFile();
  for (const [name, content] of await filesIn(folder, options)) file.addBuffer(content, name);
  file.end();
  return buffer(file.outputStream);
}

async function filesIn(folder: string, { prefix = '' }: Options = {}): Promise<[string, Buffer][]> {
  const names = await readdir(folder);
  return Promise.all(
    names.map(async (name): Promise<[string, Buffer]> => [prefix + name, await readFile(join(folder, name))]),
  );
}

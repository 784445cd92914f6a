/**
 * The cost of only reading, parsing and writing a CSV file: parse-only.js <input> <output> <threads>.
 *
 * Chunks as `foretell predict` cuts them, the same parser, every row joined and written again in the order of the
 * input; no value is examined and no model runs. One thread does everything itself; several parse and join for
 * the one that reads and writes.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { isMainThread, MessagePort, parentPort, Worker } from 'node:worker_threads';
import Papa from 'papaparse';

const CHUNK_BYTES = 128 * 1024;
const NEWLINE = 0x0a;
/** A thread finds its next chunk waiting. */
const CHUNKS_PER_THREAD = 2;

class ParsingThread {
  private readonly worker = new Worker(new URL(import.meta.url));
  /** It answers in the order of the requests. */
  private readonly waiting: ((bytes: Uint8Array) => void)[] = [];

  constructor() {
    this.worker.on('message', (bytes: Uint8Array) => this.waiting.shift()!(bytes));
  }

  rewrite(bytes: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      hand(this.worker, bytes);
    });
  }

  close(): Promise<number> {
    return this.worker.terminate();
  }
}

if (isMainThread) await main();
else parentPort!.on('message', (bytes: Uint8Array) => hand(parentPort!, rewrite(bytes)));

/** Moves the bytes instead of copying them. */
function hand(to: { postMessage: MessagePort['postMessage'] }, bytes: Uint8Array): void {
  to.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
}

function rewrite(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const { data } = Papa.parse<string[]>(text, { delimiter: ',', newline: '\n' });
  if (data.at(-1)!.length === 1) data.pop();
  let written = '';
  for (const row of data) written += `${row.join(',')}\n`;
  return new TextEncoder().encode(written);
}

async function main(): Promise<void> {
  const [input, output, threads] = process.argv.slice(2);
  const workers = Array.from(
    { length: Number(threads) > 1 ? Number(threads) : 0 },
    () => new ParsingThread(),
  );
  const file = await open(output!, 'w');
  const pending: Promise<Uint8Array>[] = [];
  let next = 0;
  const writeFirst = async () => file.write(await pending.shift()!);
  for await (const bytes of chunksOf(input!)) {
    if (workers.length === 0) {
      await file.write(rewrite(bytes));
      continue;
    }
    pending.push(workers[next++ % workers.length]!.rewrite(bytes));
    if (pending.length > workers.length * CHUNKS_PER_THREAD) await writeFirst();
  }
  while (pending.length > 0) await writeFirst();
  await file.close();
  await Promise.all(workers.map((worker) => worker.close()));
}

async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = Buffer.alloc(0);
  for await (const piece of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    const size = piece.lastIndexOf(NEWLINE) + 1;
    yield new Uint8Array(Buffer.concat([rest, piece.subarray(0, size)]));
    rest = piece.subarray(size);
  }
  if (rest.length > 0) yield new Uint8Array(rest);
}

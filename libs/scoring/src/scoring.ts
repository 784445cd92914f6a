import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { ArtifactError, readArtifact, requiredNames, type Artifact } from '#libs/inference';
import { addedColumns } from './answers.js';
import { alreadyThere } from './formats/jsonl-table.js';
import { frame } from './framing.js';
import type { FileFormat } from './file-format.js';
import type { Chunk, Input } from './input.js';
import { listed } from './messages.js';
import { InputError, type ScoringOrder, type ScoringResult } from './order.js';
import { Run } from './run.js';
import type { ScoredChunk, ScoringThreads } from './scoring-threads.js';
import type { AddedColumn } from './table.js';
import { TextInput } from './text-input.js';

/** Large enough that handing it to a thread costs little, small enough that a few of them hardly matter. */
const CHUNK_BYTES = 128 * 1024;
/** For chunks that become row groups of Parquet, which would be many small ones. */
const ROW_GROUP_BYTES = 2 * 1024 ** 2;
/** Chunks that a thread has or waits for; more would only take memory. */
const CHUNKS_PER_THREAD = 2;

const ERROR: AddedColumn = { name: 'error', type: 'string' };

/** What `scoreFile` does once there are threads. */
export async function scoreWith(threads: ScoringThreads, order: ScoringOrder): Promise<ScoringResult> {
  const { signal } = order;
  const artifact = await readArtifact(order.model);
  const outputFormats = [order.output.format, order.errorsOutput?.format ?? order.output.format];
  const input = await openInput(order, outputFormats);
  signal?.throwIfAborted();
  const place: AddedColumn = { name: order.input.format === 'parquet' ? 'row' : 'line', type: 'integer' };
  const reserved = [
    ...addedColumns(artifact.manifest),
    ERROR,
    ...(order.errorsOutput === undefined ? [] : [place]),
  ];
  const columns = input.isEmpty ? artifact.columns.map(({ name }) => name) : input.columns;
  const found = new Set(columns);
  checkColumns(found, artifact, order, reserved);

  // A thread need not know what others say about the columns.
  const parquet = input.parquet && { ...input.parquet, keyValues: [] };
  const threadOrder = {
    artifact,
    features: artifact.columns.map(({ name }) => name).filter((name) => found.has(name)),
    input: { ...order.input, columns, parquet },
    output: order.output,
    errorsOutput: order.errorsOutput,
    newline: input.newline,
    place: place.name,
    reserved: reserved.map(({ name }) => name),
    strict: order.strict ?? false,
  };
  const shape = { columns, newline: input.newline, parquet: input.parquet };
  const added = await threads.start(threadOrder).catch((cause: Error) => {
    throw new ArtifactError(artifact.folder, cause.message, { cause });
  });
  const run = await Run.begin(order, await identify(order, artifact), {
    output: await frame(order.output, shape, [...added, ERROR]),
    errorsOutput: await frame(order.errorsOutput ?? order.output, shape, [place, ERROR]),
  });
  try {
    signal?.throwIfAborted();
    const chunkBytes = outputFormats.includes('parquet') ? ROW_GROUP_BYTES : CHUNK_BYTES;
    const chunks = inOrder(input.chunks(chunkBytes, run.next), threads);
    for await (const [chunk, scored] of chunks) await run.write(chunk, scored);
    return await run.finish();
  } catch (error) {
    await run.stop(signal?.aborted ? 'interrupted' : 'failed');
    throw error;
  }
}

/** @throws InputError */
async function openInput(
  { input, signal }: ScoringOrder,
  outputFormats: readonly FileFormat[],
): Promise<Input> {
  const { path, format } = input;
  if (format !== 'parquet') {
    const areColumnsNeeded = outputFormats.some((each) => each !== 'jsonl');
    return TextInput.open(path, format, { areColumnsNeeded, signal });
  }
  // The library takes 50 ms to load, in each thread: it is loaded only for Parquet.
  const { ParquetInput } = await import('./parquet-input.js');
  return ParquetInput.open(path);
}

/** Chunks with their results, in the input's order; a few of them are in progress at once. */
async function* inOrder(
  chunks: AsyncIterable<Chunk>,
  threads: ScoringThreads,
): AsyncGenerator<[Chunk, ScoredChunk]> {
  const most = threads.count * CHUNKS_PER_THREAD;
  const waiting: { chunk: Chunk; scored: Promise<ScoredChunk> }[] = [];
  for await (const chunk of chunks) {
    const scored = threads.score(chunk);
    // Its turn comes later; until then its failure is not handled anywhere.
    scored.catch(() => undefined);
    waiting.push({ chunk, scored });
    if (waiting.length < most) continue;
    const first = waiting.shift()!;
    yield [first.chunk, await first.scored];
  }
  for (const { chunk, scored } of waiting) yield [chunk, await scored];
}

/** @throws InputError naming every missing column, or every one that the output adds and the input already has */
function checkColumns(
  columns: ReadonlySet<string>,
  artifact: Artifact,
  { input }: ScoringOrder,
  reserved: readonly AddedColumn[],
): void {
  const taken = reserved.map(({ name }) => name).filter((name) => columns.has(name));
  if (taken.length > 0) throw new InputError(alreadyThere(taken));
  // Each line of JSON has columns of its own: if it lacks one, that is its own error.
  if (input.format === 'jsonl') return;
  const missing = requiredNames(artifact.columns).filter((name) => !columns.has(name));
  if (missing.length === 0) return;
  const { name, version } = artifact.manifest;
  throw new InputError(
    `The input lacks ${missing.length === 1 ? 'a column' : `${missing.length} columns`} that ${name} ${version} needs: ` +
      `${listed(missing)}. It has: ${listed([...columns])}.`,
  );
}

/** Which model scores which file into which. */
async function identify({ input, output, errorsOutput }: ScoringOrder, artifact: Artifact): Promise<string> {
  const file = input.path === undefined ? undefined : await stat(input.path);
  const what = [
    input.format,
    file?.size,
    file?.mtimeMs,
    artifact.contentSha256,
    output.format,
    output.gzip,
    errorsOutput,
  ];
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}

/**
 * One of the threads that score: it loads the model, and turns one chunk after another into what is written for it.
 * `ScoringThreads` is its counterpart; nothing else starts it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { answerInTurn } from '#libs/calls';
import { Session } from '#libs/inference';
import { ChunkScorer } from './chunk-scorer.js';
import { DELIMITERS } from './file-format.js';
import { type DelimitedHeader, DelimitedTable } from './formats/delimited-table.js';
import { JsonLinesTable } from './formats/jsonl-table.js';
import type { Stored } from './formats/parquet-pages.js';
import type { ParquetFile, ParquetTable } from './formats/parquet-table.js';
import {
  delimitedWriter,
  jsonLinesWriter,
  OutgrownError,
  type Added,
  type TextWriter,
} from './formats/writers.js';
import type { ThreadChunk } from './input.js';
import { InputError, type OutputOrder } from './order.js';
import type { Written } from './output-file.js';
import type { Answer, ScoredChunk, ThreadOrder, ThreadReply } from './scoring-threads.js';
import type { Table } from './table.js';

const port = parentPort!;
const order = workerData as ThreadOrder;
const outputFormats = [order.output, order.errorsOutput].flatMap((each) => each?.format ?? []);
/**
 * How much may be written for a chunk, in characters: 128 KiB of rows of one field each would become gigabytes under a
 * header of 100 000 columns. Parquet is read by rows, and may well be much larger as text.
 */
const MAX_WRITTEN = (order.input.format === 'parquet' ? 384 : 64) * 1024 ** 2;
const members = new Set(order.input.columns);
const header = delimitedHeader();
let parquetFile: ParquetFile | undefined;

try {
  const { artifact } = order;
  const session = await Session.open(artifact);
  await session.checkGolden(artifact.golden);
  const scorer = new ChunkScorer(session, artifact.columns, artifact.manifest, hasEnded);
  let last = Promise.resolve();
  const answer = answerInTurn((chunk: ThreadChunk) => score(scorer, chunk), reply, replyError);
  port.on('message', (chunk: ThreadChunk | 'end') => {
    if (chunk === 'end') void last.then(() => session.release()).then(() => port.close());
    else last = answer(chunk);
  });
  reply(scorer.added);
} catch (error) {
  replyError(error as Error);
}

function hasEnded(): boolean {
  return Atomics.load(order.ended, 0) === 1;
}

async function score(scorer: ChunkScorer, chunk: ThreadChunk): Promise<ScoredChunk> {
  if (hasEnded()) throw new Error('the thread was told to end');
  const { table, unpackedBytes } = await read(chunk);
  const { errors, predictions } = await scorer.score(table);
  if (order.strict && errors.size > 0) {
    const [row, problem] = [...errors].toSorted(([a], [b]) => a - b)[0]!;
    throw new InputError(`${order.place} ${table.placeOf(row)}: ${problem}.`);
  }
  const error: Added = [{ name: 'error', type: 'string', at: (row) => errors.get(row) ?? null }];
  const place: Added = [{ name: order.place, type: 'integer', at: (row) => table.placeOf(row) }];
  const all = Array.from({ length: table.rowCount }, (_, row) => row);
  const write = (output: OutputOrder, added: Added, rows: readonly number[]) =>
    writeChunk(output, table, added, rows);
  const { output, errorsOutput } = order;
  const good = errorsOutput ? all.filter((row) => !errors.has(row)) : all;
  const bad = all.filter((row) => errors.has(row));
  const scored: Omit<ScoredChunk, 'unpackedBytes'> = {
    output: await write(output, [...predictions, ...error], good),
    errorsOutput: errorsOutput && (await write(errorsOutput, [...place, ...error], bad)),
    rows: table.rowCount,
    errors: errors.size,
  };
  return { ...scored, unpackedBytes: unpackedBytes() };
}

async function read(chunk: ThreadChunk): Promise<{ table: Table; unpackedBytes(): number }> {
  if ('group' in chunk) {
    const { ParquetFile, ParquetTable } = await import('./formats/parquet-table.js');
    parquetFile ??= new ParquetFile(order.input.path!, order.input.parquet!);
    const before = parquetFile.unpackedBytes;
    return {
      table: new ParquetTable(parquetFile, chunk),
      unpackedBytes: () => parquetFile!.unpackedBytes - before,
    };
  }
  const { bytes, firstLine } = chunk;
  const unpackedBytes = () => bytes.byteLength;
  if (header) return { table: new DelimitedTable(bytes, firstLine, header), unpackedBytes };
  const isFree = outputFormats.every((each) => each === 'jsonl');
  const table = new JsonLinesTable(bytes, firstLine, order.reserved, isFree ? undefined : members);
  return { table, unpackedBytes };
}

function delimitedHeader(): DelimitedHeader | undefined {
  const { columns, format } = order.input;
  if (format === 'parquet' || format === 'jsonl') return undefined;
  const features = new Set(order.features);
  const ofType = (wanted: string) =>
    order.artifact.columns.filter(({ type }) => type === wanted).map(({ name }) => name);
  return {
    columns,
    delimiter: DELIMITERS[format],
    places: new Map(columns.flatMap((name, index) => (features.has(name) ? [[name, index]] : []))),
    flags: new Set(ofType('boolean')),
  };
}

async function writeChunk(
  { format, gzip }: OutputOrder,
  table: Table,
  added: Added,
  rows: readonly number[],
): Promise<Written> {
  if (format === 'parquet') {
    const { columns: names, parquet } = order.input;
    const { writeRowGroup } = await import('./formats/parquet-writer.js');
    const shape = { copied: parquet, names, added };
    return writeRowGroup(shape, columnsOf(table), added, rows);
  }
  const write =
    format === 'jsonl'
      ? jsonLinesWriter(MAX_WRITTEN)
      : delimitedWriter(format, order.newline, order.input.columns.length > 0, MAX_WRITTEN);
  const bytes = Buffer.from(textOf(write, table, added, rows));
  // Members of gzip may follow one another (RFC 1952 §2.2), so each thread compresses its own.
  return gzip && bytes.length > 0 ? gzipSync(bytes) : bytes;
}

function textOf(write: TextWriter, table: Table, added: Added, rows: readonly number[]): string {
  try {
    return write(table, added, rows);
  } catch (error) {
    if (!(error instanceof OutgrownError)) throw error;
    throw new InputError(
      `The rows from ${order.place === 'row' ? 'row' : 'line'} ${table.placeOf(rows[0]!)} on become larger than ` +
        `${MAX_WRITTEN / 1024 ** 2} MiB when they are written with all columns of the file.`,
    );
  }
}

/** As they are stored; what came as text stays text, and an empty cell is not a value. */
function columnsOf(table: Table): (place: number) => Stored {
  if ('copied' in table) return (place) => (table as ParquetTable).copied(place);
  const rows = Array.from({ length: table.rowCount }, (_, row) => table.fields(row));
  return (place) => ({ values: rows.map((fields) => (fields[place] === '' ? null : fields[place])) });
}

/** The bytes are moved, not copied; small ones may lie in memory that Node shares between buffers, and stay. */
function reply(value: Answer): void {
  const written = 'output' in value ? [value.output, value.errorsOutput] : [];
  const whole = written
    .map((each) => (each && 'bytes' in each ? each.bytes : each))
    .filter((bytes) => bytes?.byteLength === bytes?.buffer.byteLength)
    .flatMap((bytes) => (bytes ? [bytes.buffer as ArrayBuffer] : []));
  port.postMessage({ value } satisfies ThreadReply, whole);
}

function replyError(error: Error): void {
  const { message } = error;
  port.postMessage({
    error: { message, isInputError: error instanceof InputError },
  } satisfies ThreadReply);
}

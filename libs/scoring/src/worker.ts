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
import { OutgrownError } from './formats/byte-text.js';
import type { DelimitedHeader } from './formats/delimited-table.js';
import { JsonLinesTable } from './formats/jsonl-table.js';
import type { CopiedColumn, ParquetFile, ParquetTable } from './formats/parquet-table.js';
import { PlainTable } from './formats/plain-table.js';
import { delimitedWriter, jsonLinesWriter, type Added, type TextWriter } from './formats/writers.js';
import type { ThreadChunk } from './input.js';
import { InputError, type OutputOrder } from './order.js';
import type { Written } from './output-file.js';
import type { Answer, ScoredChunk, ThreadOrder, ThreadReply } from './scoring-threads.js';
import type { AddedColumn, Table } from './table.js';

const port = parentPort!;
/** Its first element is 1 when the threads are to end. */
const ended = workerData as Int32Array;
/** The first message; everything else comes after it. */
let order: ThreadOrder;
let header: DelimitedHeader | undefined;
let parquetFile: ParquetFile | undefined;
let session: Session | undefined;
/**
 * How much may be written for a chunk, in bytes: 128 KiB of rows of one field each would become gigabytes under a
 * header of 100 000 columns. Parquet is read by rows, and may well be much larger as text.
 */
const MAX_WRITTEN = { parquet: 384 * 1024 ** 2, text: 64 * 1024 ** 2 };

let scorer: ChunkScorer;
let last = Promise.resolve();
const answer = answerInTurn(
  (message: ThreadOrder | ThreadChunk): Promise<Answer> =>
    'artifact' in message ? begin(message) : score(message),
  reply,
  replyError,
);
port.on('message', (message: ThreadOrder | ThreadChunk | 'end') => {
  if (message === 'end') void last.then(() => session?.release()).then(() => port.close());
  else last = answer(message);
});
await Session.startRuntime();

async function begin(given: ThreadOrder): Promise<readonly AddedColumn[]> {
  order = given;
  header = delimitedHeader();
  const { artifact } = order;
  session = await Session.open(artifact);
  await session.checkGolden(artifact.golden);
  scorer = new ChunkScorer(session, artifact.columns, artifact.manifest, hasEnded);
  return scorer.added;
}

function hasEnded(): boolean {
  return Atomics.load(ended, 0) === 1;
}

async function score(chunk: ThreadChunk): Promise<ScoredChunk> {
  if (hasEnded()) throw new Error('the thread was told to end');
  const { table, unpackedBytes } = await read(chunk);
  const { errors, predictions } = await scorer.score(table);
  const bad = [...errors.keys()].toSorted((a, b) => a - b);
  if (order.strict && errors.size > 0) {
    throw new InputError(`${order.place} ${table.placeOf(bad[0]!)}: ${errors.get(bad[0]!)}.`);
  }
  const error: Added = [
    { name: 'error', type: 'string', at: errors.size > 0 ? (row) => errors.get(row) ?? null : () => null },
  ];
  const place: Added = [{ name: order.place, type: 'integer', at: (row) => table.placeOf(row) }];
  const all = Array.from({ length: table.rowCount }, (_, row) => row);
  const write = (output: OutputOrder, added: Added, rows: readonly number[]) =>
    writeChunk(output, table, added, rows);
  const { output, errorsOutput } = order;
  const good = errorsOutput && errors.size > 0 ? all.filter((row) => !errors.has(row)) : all;
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
  if (header) {
    const plain = PlainTable.of(bytes, firstLine, header);
    if (plain) return { table: plain, unpackedBytes };
    const { QuotedTable } = await import('./formats/quoted-table.js');
    return { table: new QuotedTable(bytes, firstLine, header), unpackedBytes };
  }
  const isFree = [order.output, order.errorsOutput].every((each) => !each || each.format === 'jsonl');
  const columns = isFree ? undefined : new Set(order.input.columns);
  const table = new JsonLinesTable(bytes, firstLine, order.reserved, columns);
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
    numbers: new Set(ofType('numeric')),
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
  const most = MAX_WRITTEN[order.input.format === 'parquet' ? 'parquet' : 'text'];
  const write =
    format === 'jsonl'
      ? jsonLinesWriter(most)
      : delimitedWriter(format, order.newline, order.input.columns.length > 0, most);
  const bytes = textOf(write, table, added, rows, most);
  // Members of gzip may follow one another (RFC 1952 §2.2), so each thread compresses its own.
  return gzip && bytes.length > 0 ? gzipSync(bytes) : bytes;
}

function textOf(
  write: TextWriter,
  table: Table,
  added: Added,
  rows: readonly number[],
  most: number,
): Uint8Array {
  try {
    return write(table, added, rows);
  } catch (error) {
    if (!(error instanceof OutgrownError)) throw error;
    throw new InputError(
      `The rows from ${order.place === 'row' ? 'row' : 'line'} ${table.placeOf(rows[0]!)} on become larger than ` +
        `${most / 1024 ** 2} MiB when they are written with all columns of the file.`,
    );
  }
}

/** As they are stored; what came as text stays text, and an empty cell is not a value. */
function columnsOf(table: Table): (place: number) => CopiedColumn {
  if ('copied' in table) return (place) => (table as ParquetTable).copied(place);
  const rows = Array.from({ length: table.rowCount }, (_, row) => table.fields(row));
  return (place) => ({
    rows: rows.length,
    values: rows.map((fields) => (fields[place] === '' ? null : fields[place])),
  });
}

/** The bytes are moved, not copied; small ones may lie in memory that Node shares between buffers, and are copied. */
function reply(value: Answer): void {
  const written = 'output' in value ? [value.output, value.errorsOutput] : [];
  const whole = written
    .map((each) => (each && 'bytes' in each ? each.bytes : each))
    .flatMap((bytes) => (bytes && bytes.byteLength >= Buffer.poolSize ? [bytes.buffer as ArrayBuffer] : []));
  port.postMessage({ value } satisfies ThreadReply, whole);
}

function replyError(error: Error): void {
  const { message } = error;
  port.postMessage({
    error: { message, isInputError: error instanceof InputError },
  } satisfies ThreadReply);
}

/**
 * The bare loop of ONNX Runtime on prepared tensors: onnx-loop.js <artifact> <input> <rows> <threads>.
 *
 * Each thread has a session and one batch, made of the first rows of the file, and runs it as often as its share of
 * the rows requires. Prints the seconds from the first run to the last, without the start of process, session and
 * tensors.
 */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';

/** The fastest of 256, 1 024, 4 096 and 16 384 for both models, by a small margin. */
const ROWS_PER_RUN = 4096;
const BYTES_FOR_A_BATCH = ROWS_PER_RUN * 200;

interface Share {
  artifact: string;
  input: string;
  rows: number;
}

if (isMainThread) await main();
else await inThread(workerData as Share);

async function main(): Promise<void> {
  const [artifact, input, rows, threads] = process.argv.slice(2);
  const share = { artifact, input, rows: Number(rows) / Number(threads) };
  const workers = Array.from(
    { length: Number(threads) },
    () => new Worker(new URL(import.meta.url), { workerData: share }),
  );
  const answers = () =>
    Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
  await answers();
  const started = performance.now();
  const done = answers();
  for (const worker of workers) worker.postMessage('go');
  await done;
  console.log((performance.now() - started) / 1000);
  await Promise.all(workers.map((worker) => worker.terminate()));
}

async function inThread({ artifact, input, rows }: Share): Promise<void> {
  const session = await ort.InferenceSession.create(join(artifact, 'model.onnx'), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const feeds = await prepare(session, artifact, input);
  const fetches = session.outputNames.filter((name) => name !== 'label');
  await session.run(feeds, fetches);
  const go = new Promise((resolve) => parentPort!.once('message', resolve));
  parentPort!.postMessage('ready');
  await go;
  for (let done = 0; done < rows; done += ROWS_PER_RUN) await session.run(feeds, fetches);
  parentPort!.postMessage('done');
}

async function prepare(session: ort.InferenceSession, artifact: string, input: string) {
  const schema = JSON.parse(await readFile(join(artifact, 'input_schema.json'), 'utf8'));
  const columns = schema.input_schema.columns as { name: string; type: string }[];
  const rows = await firstRows(input);
  const numbers = (values: string[]) =>
    Float32Array.from(values, (cell) => (cell === '' ? NaN : Number(cell)));
  if (session.inputNames.length === 1) {
    const cells = numbers(rows.flat());
    return { [session.inputNames[0]!]: new ort.Tensor('float32', cells, [ROWS_PER_RUN, columns.length]) };
  }
  return Object.fromEntries(
    columns.map(({ name, type }, index) => {
      const cells = rows.map((row) => row[index]!);
      const shape = [ROWS_PER_RUN, 1];
      return [
        name,
        type === 'categorical'
          ? new ort.Tensor('string', cells, shape)
          : new ort.Tensor('float32', numbers(cells), shape),
      ];
    }),
  );
}

/** As many rows as a run takes, starting again from the first if the file has fewer. */
async function firstRows(path: string): Promise<string[][]> {
  const file = await open(path);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(BYTES_FOR_A_BATCH), 0, BYTES_FOR_A_BATCH, 0);
  await file.close();
  const lines = buffer.toString('utf8', 0, bytesRead).split('\n').slice(1, -1);
  return Array.from({ length: ROWS_PER_RUN }, (_, row) => lines[row % lines.length]!.split(','));
}

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

const RELATIVE_DIFFERENCE = 1e-6;

/** A fast wrong answer must not win: @throws unless Foretell's file is the input with the answers of MLflow. */
export async function checkAgreement(input: string, foretell: string, mlflow: string): Promise<void> {
  const expected = await mlflowPredictions(mlflow);
  const inputLines = linesOf(input);
  const width = ((await inputLines.next()).value as string).split(',').length;
  const outputLines = linesOf(foretell);
  const added = ((await outputLines.next()).value as string).split(',').slice(width);
  if (added.at(-1) !== 'error') throw new Error(`the last column is ${added.at(-1)}, not error`);
  let rows = 0;
  for await (const line of outputLines) {
    const given = (await inputLines.next()).value as string;
    const cells = line.split(',');
    if (!line.startsWith(`${given},`) || cells.length !== width + added.length) {
      throw new Error(`row ${rows + 1} is not the input's with what is added`);
    }
    if (cells.at(-1) !== '') throw new Error(`row ${rows + 1} has an error: ${cells.at(-1)}`);
    const value = expected[rows++];
    const difference = Math.abs(Number(cells[width]) - value!);
    if (!(difference <= RELATIVE_DIFFERENCE * Math.abs(value!))) {
      throw new Error(`row ${rows}: Foretell answers ${cells[width]}, MLflow ${value}`);
    }
    if (added[1] === 'yhat' && cells[width + 1] !== (Number(cells[width]) > 0.5 ? '1' : '0')) {
      throw new Error(`row ${rows}: yhat is ${cells[width + 1]} at ${cells[width]}`);
    }
  }
  if (rows !== expected.length) throw new Error(`Foretell has ${rows} rows, MLflow ${expected.length}`);
}

/** The one output of each row, whatever its name. */
async function mlflowPredictions(path: string): Promise<Float64Array> {
  const { predictions } = JSON.parse(await readFile(path, 'utf8')) as { predictions: object[] };
  return Float64Array.from(predictions, (each) => Object.values(each)[0] as number);
}

async function* linesOf(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(path), crlfDelay: Infinity });
}

import {
  compileColumns,
  Mistake,
  type Column,
  type ColumnCoercion,
  type InputRows,
  type Manifest,
  type Session,
} from '#libs/inference';
import { addedColumns, classAnswers, valueAnswers, type Answers } from './answers.js';
import type { Added } from './formats/writers.js';
import { shortened } from './messages.js';
import type { AddedColumn, Table } from './table.js';

/**
 * In larger runs ONNX Runtime answers no more rows per second, and a thread can end between two runs. Always the same:
 * the last digits of a linear model depend on it.
 */
const ROWS_PER_RUN = 1_024;

/** Coerces a table column by column and runs the model; a row that cannot be answered gets an error. */
export class ChunkScorer {
  private readonly coercions: readonly ColumnCoercion[];
  /** Columns that take any category: there, a word for a missing value would be a category. */
  private readonly textColumns: ReadonlySet<string>;

  constructor(
    private readonly session: Session,
    columns: readonly Column[],
    private readonly manifest: Manifest,
    private readonly hasEnded: () => boolean,
  ) {
    this.coercions = compileColumns(columns, session.elementTypes);
    this.textColumns = new Set(
      columns.filter(({ type, categories }) => type === 'categorical' && !categories).map(({ name }) => name),
    );
  }

  /** The columns that the output has in addition to the input's. */
  get added(): readonly AddedColumn[] {
    return addedColumns(this.manifest, this.session.numberType);
  }

  async score(table: Table) {
    const rows = table.rowCount;
    const input = this.session.allocate(rows);
    const errors = new Map<number, string>();
    const numbers = new Float64Array(rows);
    for (const [column, coercion] of this.coercions.entries()) {
      const { name, convert, absent } = coercion;
      const value = table.values(name);
      const isMissing = (given: unknown) => typeof given === 'string' && table.missing.has(given);
      const mayBeAnyText = this.textColumns.has(name);
      const left = table.readNumbers(name, numbers)
        ? takeNumbers(numbers, coercion.takes, input.numbers(column))
        : undefined;
      for (let index = 0; index < (left?.length ?? rows); index++) {
        const row = left ? left[index]! : index;
        const given = value(row);
        let converted = given === undefined ? absent : convert(given);
        // Nearly every cell is what it should be, and is not looked up.
        if ((mayBeAnyText || converted instanceof Mistake) && isMissing(given)) converted = convert(null);
        if (converted instanceof Mistake) note(errors, row, `${name} ${converted.detail}`);
        else input.set(row, column, converted);
      }
    }
    for (const [row, problem] of table.problems) errors.set(row, shortened(problem));

    const answers = this.allocateAnswers(rows);
    const good = firstWithout(errors, rows);
    if (good < rows) {
      // A bad row would fail its whole run: a copy of a good one takes its place, and the answer to it is dropped.
      const refused = [...errors];
      for (const [row] of refused) input.copy(good, row);
      await this.run(input, 0, rows, answers, errors);
      // What the model made of the copy is not their mistake.
      for (const [row, problem] of refused) errors.set(row, problem);
    }
    const predictions: Added = this.added.map((column, index) => {
      const at = answers.columns[index]!;
      return { ...column, at: errors.size === 0 ? at : (row: number) => (errors.has(row) ? null : at(row)) };
    });
    return { errors, predictions };
  }

  private allocateAnswers(rows: number): Answers {
    const { manifest } = this;
    return manifest.task === 'regression'
      ? valueAnswers(rows)
      : classAnswers(rows, manifest.labels, manifest.task === 'binary_classification');
  }

  /** A run that fails is halved, until the rows that it failed for are alone. */
  private async run(
    input: InputRows,
    start: number,
    end: number,
    answers: Answers,
    errors: Map<number, string>,
  ): Promise<void> {
    for (let from = start; from < end; from += ROWS_PER_RUN) {
      const to = Math.min(from + ROWS_PER_RUN, end);
      if (this.hasEnded()) throw new Error('the thread was told to end');
      try {
        answers.take(from, to, await this.session.runRows(input, from, to));
        for (let row = from; row < to; row++) {
          if (!answers.isNumber(row)) note(errors, row, 'the answer of the model is not a number');
        }
      } catch (error) {
        if (to - from === 1) {
          note(errors, from, `the model cannot answer it: ${(error as Error).message}`);
          continue;
        }
        const middle = from + Math.ceil((to - from) / 2);
        await this.run(input, from, middle, answers, errors);
        await this.run(input, middle, to, answers, errors);
      }
    }
  }
}

/** Puts the numbers of a column where they belong. @returns the rows that are left: their cells are something else */
function takeNumbers(
  numbers: Float64Array,
  takes: ColumnCoercion['takes'],
  places: ReturnType<InputRows['numbers']>,
): number[] | undefined {
  if (!places) return undefined;
  const { array, first, step } = places;
  const left: number[] = [];
  for (let row = 0, place = first; row < numbers.length; row++, place += step) {
    const number = numbers[row]!;
    if (takes(number)) array[place] = number;
    else left.push(row);
  }
  return left;
}

function note(errors: Map<number, string>, row: number, problem: string): void {
  const before = errors.get(row);
  errors.set(row, shortened(before === undefined ? problem : `${before}; ${problem}`));
}

function firstWithout(errors: ReadonlyMap<number, string>, rows: number): number {
  let row = 0;
  while (row < rows && errors.has(row)) row++;
  return row;
}

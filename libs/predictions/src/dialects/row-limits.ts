import { Problem } from '#libs/errors';
import type { Column } from '#libs/inference';

/**
 * How many rows one call may have, whatever its size in bytes: they are read and coerced in one go, and nothing else is
 * answered meanwhile (100 000 rows of eight columns: 0.3 s).
 */
export const MAX_ROWS = 100_000;
/**
 * How many values a row may have: those of the model, and room for columns it does not know. Each costs a few
 * microseconds, even if it is ignored.
 */
export function maxValuesPerRow(columns: readonly Column[]): number {
  return 4 * columns.length + 4_000;
}

/** Checks a table. @throws Problem `bad-request` */
export function refuseTooManyColumns(count: number, columns: readonly Column[]): void {
  const most = maxValuesPerRow(columns);
  if (count > most) throw Problem.badRequest(`The table has more than ${most} columns.`);
}

/** @throws Problem `bad-request` */
export function refuseTooManyRows(count: number): void {
  if (count <= MAX_ROWS) return;
  throw Problem.badRequest(`One call takes at most ${MAX_ROWS} rows. Send more as a file to POST /batches.`);
}

import { listed } from './messages.js';
import { InputError } from './order.js';

/** Far more than people use, and few enough to read a header, check it and hand it to all threads in a moment. */
export const MAX_COLUMNS = 100_000;

/** @throws InputError for too many columns, or naming the names that more than one column has */
export function checkNames(columns: readonly string[]): void {
  checkCount(columns.length);
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const name of columns) {
    if (seen.has(name)) twice.add(name);
    else seen.add(name);
  }
  if (twice.size === 0) return;
  throw new InputError(
    `The input has more than one column ${listed([...twice])}. Every column needs its own name.`,
  );
}

/** @throws InputError */
export function checkCount(columns: number): void {
  if (columns <= MAX_COLUMNS) return;
  throw new InputError(`The input has ${columns} columns; there may be at most ${MAX_COLUMNS}.`);
}

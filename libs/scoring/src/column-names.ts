import { InputError } from './order.js';

/** @throws InputError naming every name that more than one column has */
export function checkNames(columns: readonly string[]): void {
  const twice = columns.filter((name, index) => columns.indexOf(name) !== index);
  if (twice.length === 0) return;
  const names = [...new Set(twice)].map((name) => JSON.stringify(name)).join(', ');
  throw new InputError(`The input has more than one column ${names}. Give each a name of its own.`);
}

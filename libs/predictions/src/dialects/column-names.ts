import type { Column } from '#libs/inference';
import { LookAlikes } from '../look-alikes.js';

const MAX_LOOK_ALIKES = 10;
const MAX_NAME_LENGTH = 100;

/** Tells whether a name is one of these columns. */
export function isColumnOf(columns: readonly Column[]): (name: string) => boolean {
  const known = new Set(columns.map(({ name }) => name));
  return (name) => known.has(name);
}

/** The first name that occurs twice. */
export function repeatedIn(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** As much of a caller's own name as helps to find it. */
export function quoted(name: string): string {
  return JSON.stringify(shortened(name));
}

export function shortened(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
}

/** ` Unknown column 'Tenure'; did you mean 'tenure'?`, as the last sentences of a refusal; '' if there are none. */
export function tellLookAlikes(lookAlikes: Iterable<string | undefined>): string {
  const told = [...lookAlikes].filter((each) => each !== undefined).slice(0, MAX_LOOK_ALIKES);
  return told.map((each) => ` ${each[0]!.toUpperCase()}${each.slice(1)}`).join('');
}

/** The caller's columns that the model does not have. */
export function lookAlikesOf(names: readonly string[], columns: readonly Column[]): LookAlikes {
  const isColumn = isColumnOf(columns);
  return new LookAlikes(names.filter((name) => !isColumn(name)));
}

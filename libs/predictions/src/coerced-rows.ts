import type { Coerced } from '#libs/inference';
import { columnOf, MAX_BAD_VALUES } from './dialects/bad-values.js';
import { shortened } from './dialects/column-names.js';
import type { BadValue, Question } from './dialects/dialect.js';
import { LookAlikes } from './look-alikes.js';

/** No more names than this are listed: more would not help, and callers choose them. */
const MAX_IGNORED_NAMED = 100;

/** Each name once. `…` ends the list if there are more, and a name that was cut. */
export function ignoredIn(coerced: readonly Coerced[]): readonly string[] {
  const names = new Set<string>();
  for (const { ignoredColumns } of coerced) {
    for (const name of ignoredColumns) {
      const told = shortened(name);
      if (names.size === MAX_IGNORED_NAMED && !names.has(told)) return [...names, '…'];
      names.add(told);
    }
  }
  return [...names];
}

/** Instances that lack columns mostly lack the same ones, so only the first few are searched for look-alikes. */
const MAX_LOOKED_INTO = 10;

/** @throws Problem in the form of the dialect */
export function refuseBadValues(coerced: readonly Coerced[], question: Question): void {
  const bad: BadValue[] = [];
  let refused = 0;
  for (let instance = 0; instance < coerced.length && bad.length < MAX_BAD_VALUES; instance++) {
    const { errors, ignoredColumns } = coerced[instance]!;
    if (errors.length === 0) continue;
    const features = question.instances[instance]!;
    const unknown = refused++ < MAX_LOOKED_INTO ? new LookAlikes(ignoredColumns) : undefined;
    for (const error of errors) {
      const column = columnOf(error);
      const lookAlike = Object.hasOwn(features, column) ? undefined : unknown?.tell(column);
      bad.push({ ...error, instance, lookAlike });
    }
  }
  if (bad.length > 0) throw question.refuse(bad);
}

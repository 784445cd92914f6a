import { Problem, type FieldError } from '#libs/errors';
import type { BadValue } from './dialect.js';

/** No more bad values than this are collected: a table that is bad throughout has millions. */
export const MAX_BAD_VALUES = 10_000;
const MAX_ERRORS = 100;

/**
 * Every bad column of every instance, up to a useful number.
 * @param locate where in the body an instance is, as a JSON Pointer: '' for the body itself, '/instances/3'
 */
export function refuseValues(errors: readonly BadValue[], locate: (instance: number) => string): Problem {
  const count = errors.length < MAX_BAD_VALUES ? `${errors.length}` : `At least ${MAX_BAD_VALUES}`;
  const columns = errors.length === 1 ? '1 column is' : `${count} columns are`;
  const more = errors.length > MAX_ERRORS ? ` The first ${MAX_ERRORS} are named.` : '';
  return Problem.badRequest(
    `${columns} missing or not convertible.${more}`,
    errors.slice(0, MAX_ERRORS).map(({ instance, detail, pointer, lookAlike }) => ({
      detail: lookAlike === undefined ? detail : `${detail}: ${lookAlike}`,
      pointer: `#${locate(instance)}${pointer.slice(1)}`,
    })),
  );
}

export function firstOfEachColumn(errors: readonly BadValue[]): Map<string, BadValue> {
  const firsts = new Map<string, BadValue>();
  for (const error of errors) if (!firsts.has(columnOf(error))) firsts.set(columnOf(error), error);
  return firsts;
}

/** The column that a pointer beginning at the instance names. */
export function columnOf({ pointer }: FieldError): string {
  return decodeURIComponent(pointer.slice('#/'.length)).replaceAll('~1', '/').replaceAll('~0', '~');
}

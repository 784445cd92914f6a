import { Problem } from '#libs/errors';

const MAX_INTEGER = 2 ** 31 - 1;

/** @throws Problem `bad-request` if it is not a number, `user-not-found` for one that no user can have. */
export function parseUserId(value: string): number {
  if (!/^\d+$/.test(value)) throw Problem.badRequest('The user id in the path must be a whole number.');
  if (Number(value) > MAX_INTEGER) throw new Problem('user-not-found', 'There is no such user.');
  return Number(value);
}

/** @throws Problem `bad-request` */
export function parseFlag(value: string): boolean {
  if (/^(1|true)$/i.test(value)) return true;
  if (/^(0|false)$/i.test(value)) return false;
  throw Problem.badRequest('The last part of the path must be 0, 1, true or false.');
}

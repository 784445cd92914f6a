import { isEmail } from 'class-validator';

/** RFC 5321 §4.5.3.1.3, without its angle brackets. */
export const MAX_EMAIL_LENGTH = 254;

/** Control characters, invisible characters, separators and lone surrogates. */
const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/** Says what is wrong with it; undefined if nothing is. */
export function findEmailProblem(email: string): string | undefined {
  if (email.length > MAX_EMAIL_LENGTH) return `must be at most ${MAX_EMAIL_LENGTH} characters long`;
  // In this order, because `isEmail` throws on a lone surrogate.
  return !UNSEEN.test(email) && isEmail(email) ? undefined : 'must be an email address';
}

/** The form that is stored (RFC 6532 §3.1). */
export function normalizeEmail(email: string): string {
  return email.normalize('NFC');
}

import { isEmail } from 'class-validator';

/** RFC 5321 §4.5.3.1.3, without its angle brackets. */
export const MAX_EMAIL_LENGTH = 254;

/** Controls, invisible characters, line and other separators, halves of characters: nothing that an address is read by. */
const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/** What is wrong with it; undefined where nothing is. */
export function findEmailProblem(email: string): string | undefined {
  if (email.length > MAX_EMAIL_LENGTH) return `must be at most ${MAX_EMAIL_LENGTH} characters long`;
  // In this order: `isEmail` throws at half a character.
  return !UNSEEN.test(email) && isEmail(email) ? undefined : 'must be an email address';
}

/** As it is kept (RFC 6532 §3.1): compared with itself, whatever it was typed on. */
export function normalizeEmail(email: string): string {
  return email.normalize('NFC');
}

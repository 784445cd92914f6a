import { PrecisError, usernameCaseMapped, usernameCasePreserved } from '#libs/precis';

/** In characters, after normalisation. */
export const MAX_USERNAME_LENGTH = 64;
/** Before normalisation, which makes one character of at most four. Limits the work for an absurdly long name. */
const MAX_TYPED_LENGTH = 4 * MAX_USERNAME_LENGTH;
/** Names from before there was a limit must still log in; the old index could not hold longer ones. */
export const MAX_LOGIN_USERNAME_LENGTH = 4096;

/**
 * A name as people read it, with the case that it was given; and its key, which is equal for all spellings of the same
 * name and unique among users.
 * @throws PrecisError, whose message completes the sentence "The username …"
 */
export function readUsername(typed: string): { shown: string; key: string } {
  if (typed.length > MAX_TYPED_LENGTH) throw tooLong();
  const shown = usernameCasePreserved(typed);
  const key = usernameCaseMapped(typed);
  if ([...key].length > MAX_USERNAME_LENGTH) throw tooLong();
  return { shown, key };
}

/** Says what is wrong with it as the name of a new user; undefined if nothing is. */
export function findUsernameProblem(typed: string): string | undefined {
  try {
    readUsername(typed);
    return undefined;
  } catch (error) {
    if (error instanceof PrecisError) return error.message;
    throw error;
  }
}

/**
 * The keys that a user of this name may have, the usual one first. The others belong to users from before PRECIS whose name
 * it does not allow, or whose key somebody else has; 1763600900000-add-account-keys.ts gave them these. New users never
 * get such a key, because PRECIS leaves its own keys unchanged.
 *
 * Empty if nobody can have this name: PostgreSQL stores no text with NUL or lone surrogates.
 */
export function usernameKeys(typed: string): string[] {
  if (typed.includes('\0') || !typed.isWellFormed()) return [];
  const composed = typed.normalize('NFC');
  const keys = [composed.toLowerCase().normalize('NFC'), composed];
  try {
    keys.unshift(readUsername(typed).key);
  } catch (error) {
    if (!(error instanceof PrecisError)) throw error;
  }
  return [...new Set(keys)];
}

function tooLong(): PrecisError {
  return new PrecisError(`must be at most ${MAX_USERNAME_LENGTH} characters long`);
}

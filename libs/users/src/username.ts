import { PrecisError, usernameCaseMapped, usernameCasePreserved } from '#libs/precis';

/** In characters, once it is normalised. */
export const MAX_USERNAME_LENGTH = 64;
/** Of what is typed for it: no character comes in more parts than four. Bounds what it costs to find out. */
const MAX_TYPED_LENGTH = 4 * MAX_USERNAME_LENGTH;
/** What may be tried at a login: there may be users from before there was a limit, whom the index of then bounded. */
export const MAX_LOGIN_USERNAME_LENGTH = 4096;

export interface Username {
  /** As people read it: with the case that it was given. */
  readonly shown: string;
  /** What makes it the same as another: one key, one user. */
  readonly key: string;
}

/** @throws PrecisError, whose message goes on where "The username …" begins */
export function readUsername(typed: string): Username {
  if (typed.length > MAX_TYPED_LENGTH) throw tooLong();
  const shown = usernameCasePreserved(typed);
  const key = usernameCaseMapped(typed);
  if ([...key].length > MAX_USERNAME_LENGTH) throw tooLong();
  return { shown, key };
}

/** What is wrong with it as the name of a new user; undefined where nothing is. */
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
 * The keys that a user of this name may have, the usual one first. The others are of users from before PRECIS: of those
 * whose name it does not allow, or who would have had the key of somebody else (1763600900000-add-account-keys.ts gave
 * each of them one of these). No new user gets one of those, because a key that PRECIS makes is its own key.
 *
 * None, where nobody can have such a name: PostgreSQL has no text with NUL or half a character in it.
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

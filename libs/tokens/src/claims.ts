/**
 * The claims of a token (RFC 7519 §4.1) that are needed after verification. A user's id is reused when a database is
 * created anew, so the token also names the account by its UUID; and the epoch, so that all tokens of an account can be
 * ended.
 */
export interface VerifiedClaims {
  /** In the token it is the subject, `sub`, as a string. */
  readonly userId: number;
  /** The account's UUID. */
  readonly account: string;
  readonly epoch: number;
  /** In seconds. */
  readonly exp: number;
}

const MAX_INTEGER = 2 ** 31 - 1;

/** Reads a payload whose signature is right; it may still be anything. Undefined if a claim is missing or malformed. */
export function readClaims(payload: unknown): VerifiedClaims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const { sub, account, epoch, exp } = payload as Record<string, unknown>;
  if (typeof sub !== 'string' || !/^[1-9][0-9]{0,9}$/.test(sub)) return undefined;
  const userId = Number(sub);
  const isOurs =
    userId <= MAX_INTEGER &&
    typeof account === 'string' &&
    Number.isSafeInteger(epoch) &&
    Number.isSafeInteger(exp);
  return isOurs ? { userId, account, epoch: epoch as number, exp: exp as number } : undefined;
}

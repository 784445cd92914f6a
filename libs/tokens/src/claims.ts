/**
 * What a token says (RFC 7519 §4.1); times are in seconds. The number of its user may be another's once a database was
 * made anew, and its user may have asked for all tokens to end: so it names the account and its epoch as well.
 */
export interface Claims {
  /** The user's id, as a string. */
  sub: string;
  /** The account's UUID. */
  account: string;
  epoch: number;
  iss: string;
  aud: string;
  iat: number;
  exp: number;
}

/** What is kept of them. */
export interface VerifiedClaims {
  readonly userId: number;
  readonly account: string;
  readonly epoch: number;
  readonly exp: number;
}

const MAX_INTEGER = 2 ** 31 - 1;

/** Of a payload whose signature is right, and which may be anything all the same; undefined where it is not ours. */
export function readClaims(payload: unknown): VerifiedClaims | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined;
  const { sub, account, epoch, exp } = payload as Partial<Record<keyof Claims, unknown>>;
  if (typeof sub !== 'string' || !/^[1-9][0-9]{0,9}$/.test(sub)) return undefined;
  const userId = Number(sub);
  const isOurs =
    userId <= MAX_INTEGER &&
    typeof account === 'string' &&
    Number.isSafeInteger(epoch) &&
    Number.isSafeInteger(exp);
  return isOurs ? { userId, account, epoch: epoch as number, exp: exp as number } : undefined;
}

import { createSecretKey, type KeyObject } from 'node:crypto';
import { readOrCreateSecret, type Config } from '#libs/config';

/** RFC 7518 §3.2. Pinned on both sides: a token that names another algorithm is not one of ours. */
export const ALGORITHM = 'HS256';

export const SIGNING_KEY = Symbol('SigningKey');

/** Prepared once: verifying with the secret as a string would prepare it anew for every request (350 µs, not 6). */
export function createSigningKey(config: Config): KeyObject {
  return createSecretKey(config.jwtSecret ?? readOrCreateSecret(config.dataDir, 'jwt-secret'), 'utf8');
}

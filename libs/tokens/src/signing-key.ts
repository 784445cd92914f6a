import { createSecretKey, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { findWeakness, readOrCreateSecret, type Config } from '#libs/config';

/** RFC 7518 §3.2. Pinned on both sides: a token that names another algorithm is not one of ours. */
export const ALGORITHM = 'HS256';

export const SIGNING_KEY = Symbol('SigningKey');

/**
 * Prepared once: verifying with the secret as a string would prepare it anew for every request (350 µs, not 6).
 * @throws Error if somebody put a weak secret into the file
 */
export function createSigningKey(config: Config): KeyObject {
  return createSecretKey(config.jwtSecret ?? secretInFile(config.dataDir), 'utf8');
}

function secretInFile(dataDir: string): string {
  const name = 'jwt-secret';
  const secret = readOrCreateSecret(dataDir, name);
  const weakness = findWeakness(secret);
  if (weakness) throw new Error(`The secret in ${join(dataDir, name)} ${weakness}.`);
  return secret;
}

import jwt from 'jsonwebtoken';
import type { TestDatabase } from './test-database.js';

/** The claims of a token of this account that are not set by `jwt.sign`'s options. */
export async function claimsOf(database: Pick<TestDatabase, 'query'>, userId: number) {
  const [row] = await database.query<{ account_uuid: string; epoch: number }>(
    'SELECT account_uuid, epoch FROM users WHERE id = $1',
    [userId],
  );
  return { sub: String(userId), account: row!.account_uuid, epoch: row!.epoch };
}

/** Signs a token as Foretell does, unless `options` say otherwise. */
export function signToken(payload: object, secret: string, options: jwt.SignOptions = {}): string {
  return jwt.sign(payload, secret, {
    issuer: 'foretell',
    audience: 'foretell',
    expiresIn: '1h',
    ...options,
  });
}

import jwt from 'jsonwebtoken';
import type { TestDatabase } from './test-database.js';

/** What a token of this account says, with an hour to go; without those that `jwt.sign` is told as options. */
export async function claimsOf(database: Pick<TestDatabase, 'query'>, userId: number) {
  const [row] = await database.query<{ account_uuid: string; epoch: number }>(
    'SELECT account_uuid, epoch FROM users WHERE id = $1',
    [userId],
  );
  return { sub: String(userId), account: row!.account_uuid, epoch: row!.epoch };
}

/** A token as Foretell issues it, but for what `options` say. */
export function signToken(payload: object, secret: string, options: jwt.SignOptions = {}): string {
  return jwt.sign(payload, secret, {
    issuer: 'foretell',
    audience: 'foretell',
    expiresIn: '1h',
    ...options,
  });
}

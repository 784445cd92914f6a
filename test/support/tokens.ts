import { randomBytes } from 'node:crypto';
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

/** The flaws of refused tokens, each made from valid claims. */
export const FORGED: Record<string, (claims: object, secret: string) => string> = {
  'is malformed': () => 'not.a.token',
  'is a word': () => 'nonsense',
  'has expired': (claims, secret) => signToken(claims, secret, { expiresIn: -1 }),
  'is not valid yet': (claims, secret) => signToken(claims, secret, { notBefore: 3600 }),
  'was signed with another secret': (claims) => signToken(claims, randomBytes(32).toString('hex')),
  'has the algorithm none': (claims) => signToken(claims, '', { algorithm: 'none' }),
  'was signed with HS512': (claims, secret) => signToken(claims, secret, { algorithm: 'HS512' }),
  'has another issuer': (claims, secret) => signToken(claims, secret, { issuer: 'somebody else' }),
  'has another audience': (claims, secret) => signToken(claims, secret, { audience: 'somebody else' }),
  'names no subject': (claims, secret) => signToken({ ...claims, sub: undefined }, secret),
  'names a user that never was': (claims, secret) => signToken({ ...claims, sub: '2147483647' }, secret),
  'names a user that no database can hold': (claims, secret) =>
    signToken({ ...claims, sub: '99999999999' }, secret),
  'names a subject that is not a number': (claims, secret) => signToken({ ...claims, sub: 'admin' }, secret),
};

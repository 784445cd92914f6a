import { createSecretKey, randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '#libs/config';
import { heapUsed } from '../../../test/support/heap.js';
import { InvalidToken, type TokenFault } from './invalid-token.js';
import { JwtStrategy } from './jwt.strategy.js';
import { tokenIn, TokenVerifier } from './token-verifier.js';

const SECRET = 'a secret that only this test file knows';
const key = createSecretKey(SECRET, 'utf8');

const createVerifier = () => new TokenVerifier(new JwtStrategy(loadConfig({}), key));
const sign = (claims: object = {}, options: jwt.SignOptions = {}) =>
  jwt.sign({ sub: '7', account: randomUUID(), epoch: 1, ...claims }, SECRET, {
    issuer: 'foretell',
    audience: 'foretell',
    expiresIn: '1h',
    ...options,
  });

async function faultOf(verifier: TokenVerifier, token: string): Promise<TokenFault | undefined> {
  try {
    await verifier.verify(token);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidToken) return error.fault;
    throw error;
  }
}

describe('the cache', () => {
  test('has one entry per token, however many spellings its header has', async () => {
    const verifier = createVerifier();
    const token = sign();
    for (let spaces = 0; spaces < 10_000; spaces++) {
      const scheme = ['Bearer', 'bearer', 'BEARER', 'bEaReR'][spaces % 4]!;
      expect((await verifier.verify(tokenIn(`${scheme} ${' '.repeat(spaces)}${token}`))).userId).toBe(7);
    }
    await verifier.verify(tokenIn(token));
    expect(verifier.size).toBe(1);
  });

  test('does not keep the header that a token came in', async () => {
    const verifier = createVerifier();
    const padding = ' '.repeat(15_000);
    const before = heapUsed();
    for (let user = 1; user <= 5_000; user++)
      await verifier.verify(tokenIn(`Bearer ${padding}${sign({ sub: `${user}` })}`));
    expect(verifier.size).toBe(5_000);
    // The headers alone would be 75 MB.
    expect(heapUsed() - before).toBeLessThan(15e6);
  });

  test('has at most ten thousand tokens, and none longer than ours', async () => {
    const verifier = createVerifier();
    for (let user = 1; user <= 10_050; user++) await verifier.verify(sign({ sub: `${user}` }));
    expect(verifier.size).toBe(10_000);
    const long = sign({ padding: 'x'.repeat(3_000) });
    const one = createVerifier();
    await one.verify(long);
    expect([(await one.verify(long)).userId, one.size]).toEqual([7, 0]);
  });

  test('does not take one token for another with its signature', async () => {
    const verifier = createVerifier();
    const token = sign({ sub: '7' });
    await verifier.verify(token);
    const [head, , signature] = token.split('.');
    const forged = [head, sign({ sub: '8' }).split('.')[1], signature].join('.');
    expect(await faultOf(verifier, forged)).toBe('not-ours');
    expect((await verifier.verify(token)).userId).toBe(7);
  });

  test('has no refused tokens', async () => {
    const verifier = createVerifier();
    for (let time = 0; time < 100; time++) await faultOf(verifier, `nonsense ${time}`);
    expect(verifier.size).toBe(0);
  });
});

test.each<[string, TokenFault, () => string]>([
  ['nothing', 'malformed', () => ''],
  ['nonsense', 'malformed', () => 'nonsense'],
  ['a payload that is not JSON', 'malformed', () => `${sign().split('.')[0]}.eA.AAAA`],
  [
    'no expiry',
    'malformed',
    () => jwt.sign({ sub: '7', account: 'a', epoch: 1, iss: 'foretell', aud: 'foretell' }, SECRET),
  ],
  ['a payload of null', 'not-ours', () => jwt.sign('null', SECRET)],
  ['no account', 'malformed', () => sign({ account: undefined })],
  ['another algorithm', 'not-ours', () => sign({}, { algorithm: 'HS384' })],
  ['another audience', 'not-ours', () => sign({}, { audience: 'somebody else' })],
  ['an hour that is over', 'expired', () => sign({}, { expiresIn: -1 })],
])('a token of %s is %s', async (_, fault, tokenOf) => {
  expect(await faultOf(createVerifier(), tokenOf())).toBe(fault);
});

test('a cached token expires like any other', async () => {
  const verifier = createVerifier();
  const token = sign({}, { expiresIn: 1 });
  expect(await faultOf(verifier, token)).toBeUndefined();
  const { exp } = jwt.decode(token) as { exp: number };
  while (Date.now() <= exp * 1000) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  expect([await faultOf(verifier, token), await faultOf(verifier, token)]).toEqual(['expired', 'expired']);
});

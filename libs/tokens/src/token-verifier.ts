import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { VerifiedClaims } from './claims.js';
import { InvalidToken } from './invalid-token.js';
import { JwtStrategy } from './jwt.strategy.js';

/**
 * Takes the token out of `Bearer <jwt>` (RFC 6750) or, as in the plain dialect, of a header with nothing but the token. All
 * spellings of a header give the same token.
 */
export function tokenIn(authorization: string): string {
  return /^bearer /i.test(authorization) ? authorization.slice('bearer '.length).trim() : authorization;
}

/**
 * Remembers the claims of tokens that were verified. An app sends the same token with all of its calls, and verifying it
 * every time costs as much as the rest of a prediction, mostly later in the garbage collector (docs/adr/0005).
 *
 * Claims are kept until they expire. Whether the account may still act is not kept here: it is checked on every call.
 */
const MAX_KEPT = 10_000;
/** Our tokens have about 300 characters. A longer one is verified on every call. 10 000 of this length take 20 MB. */
const MAX_KEPT_LENGTH = 2048;
/** They are found by their signatures, the last 43 characters: hashing a whole token takes 0.4 µs. */
const SIGNATURE_LENGTH = 43;

interface Verified {
  readonly token: string;
  readonly claims: VerifiedClaims;
}

@Injectable()
export class TokenVerifier {
  private readonly kept = new LRUCache<string, Verified>({ max: MAX_KEPT });

  constructor(private readonly strategy: JwtStrategy) {}

  /** How many tokens are kept. */
  get size(): number {
    return this.kept.size;
  }

  /** Not a promise if the token was verified before. @throws InvalidToken, or rejects with it */
  verify(token: string): VerifiedClaims | Promise<VerifiedClaims> {
    const signature = token.slice(-SIGNATURE_LENGTH);
    const kept = this.kept.get(signature);
    if (kept?.token !== token) return this.verifyAnew(token);
    if (kept.claims.exp * 1000 > Date.now()) return kept.claims;
    this.kept.delete(signature);
    throw new InvalidToken('expired');
  }

  private async verifyAnew(token: string): Promise<VerifiedClaims> {
    const claims = await this.strategy.verify(token);
    // A copy, because a substring keeps its whole string in memory, and the header may be much longer than the token.
    if (token.length <= MAX_KEPT_LENGTH) {
      const copy = Buffer.from(token, 'latin1').toString('latin1');
      this.kept.set(copy.slice(-SIGNATURE_LENGTH), { token: copy, claims });
    }
    return claims;
  }
}

import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { CONFIG, type Config } from '#libs/config';
import { BoundedMap } from '#libs/users';
import { readClaims, type VerifiedClaims } from './claims.js';
import { InvalidToken, type TokenFault } from './invalid-token.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';

/**
 * Takes the token out of `Bearer <jwt>` (RFC 6750) or, as in the plain dialect, of a header with nothing but the token. All
 * spellings of a header give the same token.
 */
export function tokenIn(authorization: string): string {
  return /^bearer /i.test(authorization) ? authorization.slice('bearer '.length).trim() : authorization;
}

/**
 * Verifies signature, times, issuer and audience, and remembers the result. An app sends the same token with all of its
 * calls, and verifying it every time costs as much as the rest of a prediction, mostly later in the garbage collector
 * (docs/adr/0005).
 *
 * Claims are kept until they expire. Whether the account may still act is not kept here: it is checked on every call.
 */
const MAX_KEPT = 10_000;
/** Our tokens have about 300 characters. A longer one is verified on every call. 10 000 of this length take 20 MB. */
const MAX_KEPT_LENGTH = 2048;

@Injectable()
export class TokenVerifier {
  private readonly kept = new BoundedMap<string, VerifiedClaims>(MAX_KEPT);
  private readonly options: jwt.VerifyOptions;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(SIGNING_KEY) private readonly key: KeyObject,
  ) {
    this.options = { algorithms: [ALGORITHM], issuer: config.jwtIssuer, audience: config.jwtAudience };
  }

  /** How many tokens are kept. */
  get size(): number {
    return this.kept.size;
  }

  /** @throws InvalidToken */
  verify(token: string): VerifiedClaims {
    const kept = this.kept.get(token);
    if (kept) {
      if (kept.exp * 1000 > Date.now()) return kept;
      this.kept.delete(token);
      throw new InvalidToken('expired');
    }
    const claims = readClaims(this.payloadOf(token));
    if (!claims) throw new InvalidToken('malformed');
    if (token.length <= MAX_KEPT_LENGTH) this.keep(token, claims);
    return claims;
  }

  private payloadOf(token: string): unknown {
    try {
      return jwt.verify(token, this.key, this.options);
    } catch (error) {
      // Only the token can make this fail. The decoder may throw any error, such as a SyntaxError for bad JSON.
      throw new InvalidToken(faultOf(error as Error));
    }
  }

  private keep(token: string, claims: VerifiedClaims): void {
    // A copy, because a substring keeps its whole string in memory, and the header may be much longer than the token.
    this.kept.set(Buffer.from(token, 'latin1').toString('latin1'), claims);
  }
}

function faultOf(error: Error): TokenFault {
  if (error.name === 'TokenExpiredError') return 'expired';
  // Signed by somebody else, or for somebody else.
  return /^(invalid signature|invalid algorithm|jwt (issuer|audience) invalid)/.test(error.message)
    ? 'not-ours'
    : 'malformed';
}

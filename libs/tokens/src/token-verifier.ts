import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { CONFIG, type Config } from '#libs/config';
import { BoundedMap } from '#libs/users';
import { readClaims, type VerifiedClaims } from './claims.js';
import { InvalidToken, type TokenFault } from './invalid-token.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';

/** Of `Bearer <jwt>` (RFC 6750) or, as the plain dialect has it, the bare token: however it is spelt, one token. */
export function tokenIn(authorization: string): string {
  return /^bearer /i.test(authorization) ? authorization.slice('bearer '.length).trim() : authorization;
}

/**
 * Tokens whose signature, times, issuer and audience were found right once. An app sends the same token with all of its
 * calls, and checking it anew costs as much as the rest of a prediction together; most of it later, in the garbage
 * collector (docs/adr/0005).
 *
 * Claims are kept until they expire. Whether the account behind them may still act is not kept here: it is asked
 * anew every time.
 */
const MAX_KEPT = 10_000;
/** Ours have some 300 characters. One that is longer is verified every time: 10 000 of these are 20 MB. */
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

  /** How many are kept. */
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
      // Nothing but the token can make it fail, and its decoder throws what it likes.
      throw new InvalidToken(faultOf(error as Error));
    }
  }

  private keep(token: string, claims: VerifiedClaims): void {
    // A copy: a part of a string keeps all of it, and the header that this one came in may be much longer.
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

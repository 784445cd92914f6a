import { Injectable } from '@nestjs/common';
import type { Claims } from './claims.js';

/**
 * The claims of tokens whose signature, times, issuer and audience were found right once, by the Authorization header
 * that carried them. An app sends the same token with all of its calls, and checking it anew costs as much as the
 * rest of a prediction together; most of it later, in the garbage collector (docs/adr/0005).
 *
 * Claims are kept until they expire. Whether the account behind them may still act is not kept here: it is asked
 * anew every time.
 */
const MAX_KEPT = 10_000;

@Injectable()
export class VerifiedTokens {
  private readonly kept = new Map<string, Claims>();

  keep(authorization: string, claims: Claims): void {
    // A Map iterates in order of insertion: the first key is the one kept longest.
    if (this.kept.size >= MAX_KEPT) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(authorization, claims);
  }

  /** Undefined where the header was never verified or its token has expired since. */
  find(authorization: string): Claims | undefined {
    const claims = this.kept.get(authorization);
    if (!claims || claims.exp * 1000 > Date.now()) return claims;
    this.kept.delete(authorization);
    return undefined;
  }
}

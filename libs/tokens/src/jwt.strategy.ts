import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { Strategy } from 'passport-jwt';
import { CONFIG, type Config } from '#libs/config';
import { readClaims, type VerifiedClaims } from './claims.js';
import { InvalidToken, type TokenFault } from './invalid-token.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';

const NAME = 'jwt';

/** Passport verifies a token's signature, times, issuer and audience; here its claims are read. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, NAME) {
  constructor(@Inject(CONFIG) config: Config, @Inject(SIGNING_KEY) key: KeyObject) {
    super({
      jwtFromRequest: ({ headers }: { headers: { authorization?: string } }) => headers.authorization ?? null,
      // passport-jwt hands it to jsonwebtoken as it is; only its types do not know key objects.
      secretOrKey: key as unknown as Buffer,
      algorithms: [ALGORITHM],
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
    });
  }

  /** The signature is right; the payload may still be anything. */
  validate(payload: unknown): VerifiedClaims {
    const claims = readClaims(payload);
    if (!claims) throw new InvalidToken('malformed');
    return claims;
  }

  /** Rejects with InvalidToken. */
  verify(token: string): Promise<VerifiedClaims> {
    return new Promise<VerifiedClaims>((resolve, reject) => {
      const answer = (error: unknown, claims: VerifiedClaims | false | undefined, info: unknown) => {
        if (claims) resolve(claims);
        else reject((error ?? info) as Error);
      };
      const authenticate = passport.authenticate(this, { session: false }, answer);
      authenticate({ headers: { authorization: token } }, {}, reject);
    }).catch((error: Error) => {
      // Only the token can make this fail. The decoder may throw any error, such as a SyntaxError for bad JSON.
      throw error instanceof InvalidToken ? error : new InvalidToken(faultOf(error));
    });
  }
}

function faultOf(error: Error): TokenFault {
  if (error.name === 'TokenExpiredError') return 'expired';
  // Signed by somebody else, or for somebody else.
  return /^(invalid signature|invalid algorithm|jwt (issuer|audience) invalid)/.test(error.message)
    ? 'not-ours'
    : 'malformed';
}

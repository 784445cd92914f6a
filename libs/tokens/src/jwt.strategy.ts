import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import { CONFIG, type Config } from '#libs/config';
import type { Actor } from '#libs/errors';
import type { Claims } from './claims.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';
import { TokensService } from './tokens.service.js';
import { VerifiedTokens } from './verified-tokens.js';

export const JWT_STRATEGY = 'jwt';

interface AuthorizedRequest {
  headers: { authorization?: string };
}

/** `Authorization: Bearer <jwt>` (RFC 6750) or, as the plain dialect has it, the bare token. */
function tokenFrom({ headers: { authorization } }: AuthorizedRequest): string | null {
  const header = authorization?.trim();
  if (!header) return null;
  return /^bearer /i.test(header) ? header.slice('bearer '.length).trim() : header;
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, JWT_STRATEGY) {
  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(SIGNING_KEY) key: KeyObject,
    @Inject(TokensService) private readonly tokens: TokensService,
    @Inject(VerifiedTokens) private readonly verified: VerifiedTokens,
  ) {
    super({
      jwtFromRequest: tokenFrom,
      // passport-jwt hands it to jsonwebtoken as it is; only its types do not know key objects.
      secretOrKey: key as unknown as Buffer,
      algorithms: [ALGORITHM],
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
      passReqToCallback: true,
    });
  }

  /** Called with claims found right: the account behind them; false where it is disabled, removed or unknown. */
  async validate({ headers }: AuthorizedRequest, claims: Claims): Promise<Actor | false> {
    this.verified.keep(headers.authorization!, claims);
    return (await this.tokens.actorFor(claims)) ?? false;
  }
}

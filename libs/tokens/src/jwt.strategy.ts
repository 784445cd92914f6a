import type { IncomingMessage } from 'node:http';
import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import { CONFIG, type Config } from '#libs/config';
import type { Actor } from '#libs/errors';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';
import { TokensService, type Claims } from './tokens.service.js';

export const JWT_STRATEGY = 'jwt';

/** `Authorization: Bearer <jwt>` (RFC 6750) or, as the plain dialect has it, the bare token. */
export function tokenFromHeader(request: Pick<IncomingMessage, 'headers'>): string | null {
  const header = request.headers.authorization?.trim();
  if (!header) return null;
  return /^bearer /i.test(header) ? header.slice('bearer '.length).trim() : header;
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, JWT_STRATEGY) {
  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(SIGNING_KEY) key: KeyObject,
    @Inject(TokensService) private readonly tokens: TokensService,
  ) {
    super({
      jwtFromRequest: tokenFromHeader,
      // passport-jwt hands it to jsonwebtoken as it is; only its types do not know key objects.
      secretOrKey: key as unknown as Buffer,
      algorithms: [ALGORITHM],
      issuer: config.jwtIssuer,
      audience: config.jwtAudience,
    });
  }

  /** The account behind a verified token; false where it is disabled, removed or unknown. */
  async validate(claims: Claims): Promise<Actor | false> {
    return (await this.tokens.actorFor(claims)) ?? false;
  }
}

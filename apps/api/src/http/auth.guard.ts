import { Inject, Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard as PassportGuard } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { isUnavailable } from '#libs/database';
import { Problem, type Actor } from '#libs/errors';
import { countersBy } from '#libs/observability';
import { JWT_STRATEGY, TokensService, VerifiedTokens } from '#libs/tokens';

const IS_PUBLIC = 'isPublic';

/** Opens a route to callers without a token. */
export const Public = () => SetMetadata(IS_PUBLIC, true);

const REASONS = ['missing', 'malformed', 'expired', 'not-ours', 'disabled'] as const;
type Reason = (typeof REASONS)[number];

/** Why tokens were refused; callers are told in fewer words. */
@Injectable()
export class AuthenticationFigures {
  readonly failures = countersBy('reason', REASONS);
}

/**
 * Who is calling: leaves the `Actor` behind the token on the request. Passport verifies a token that was not seen
 * before; either way the account must be enabled now.
 */
@Injectable()
export class AuthGuard extends PassportGuard(JWT_STRATEGY) {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(TokensService) private readonly tokens: TokensService,
    @Inject(VerifiedTokens) private readonly verified: VerifiedTokens,
    @Inject(AuthenticationFigures) private readonly figures: AuthenticationFigures,
  ) {
    super();
  }

  override canActivate(context: ExecutionContext) {
    if (this.reflector.getAllAndOverride<boolean>(IS_PUBLIC, [context.getHandler(), context.getClass()]))
      return true;
    const request = context.switchToHttp().getRequest<FastifyRequest & { user?: Actor }>();
    const { authorization } = request.headers;
    const claims = authorization === undefined ? undefined : this.verified.find(authorization);
    if (!claims) return super.canActivate(context);

    const admit = (actor: Actor | undefined): true => {
      if (!actor) throw this.refuse('disabled');
      request.user = actor;
      return true;
    };
    const actor = this.tokens.actorFor(claims);
    // Not awaited where it is known: this is on the way of every prediction.
    return actor instanceof Promise ? actor.then(admit) : admit(actor);
  }

  /** Passport's verdict on a token it has just verified. */
  override handleRequest<User = Actor>(
    error: unknown,
    actor: User | false,
    info: unknown,
    context: ExecutionContext,
  ): User {
    if (error) throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    if (actor) return actor;
    const { authorization } = context.switchToHttp().getRequest<FastifyRequest>().headers;
    throw this.refuse(authorization === undefined ? 'missing' : reasonOf(info));
  }

  private refuse(reason: Reason): Problem {
    this.figures.failures.with(reason).add();
    return unauthorized(reason !== 'missing');
  }
}

/** Of what passport-jwt tells; nothing, where the token is right and there is no account that may act. */
function reasonOf(info: unknown): Reason {
  if (!(info instanceof Error)) return 'disabled';
  if (info.name === 'TokenExpiredError') return 'expired';
  // Signed by somebody else, or for somebody else.
  return /^(invalid signature|invalid algorithm|jwt (issuer|audience) invalid)/.test(info.message)
    ? 'not-ours'
    : 'malformed';
}

/** RFC 6750 §3.1: no error code where nothing was presented. */
function unauthorized(wasPresented: boolean): Problem {
  return wasPresented
    ? new Problem('unauthorized', 'The token is malformed or expired, or its user is disabled or removed.', {
        members: { error: 'Unauthorized' },
        headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
      })
    : new Problem('unauthorized', 'Send a token from POST /token in the Authorization header.', {
        members: { error: 'Unauthorized' },
      });
}

import {
  applyDecorators,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import { countersBy } from '#libs/observability';
import { InvalidToken, tokenIn, TokensService, type TokenFault } from '#libs/tokens';
import { RouteMetadata } from './route-metadata.js';

const IS_PUBLIC = 'isPublic';

/** Opens a route to callers without a token; in the API document, by a requirement that asks for nothing. */
export const Public = () => applyDecorators(SetMetadata(IS_PUBLIC, true), ApiSecurity({}));

const REASONS = ['missing', 'malformed', 'expired', 'not-ours', 'disabled', 'revoked'] as const satisfies (
  'missing' | TokenFault
)[];
type Reason = (typeof REASONS)[number];

/** Why tokens were refused; callers get less detail. */
@Injectable()
export class AuthenticationFigures {
  readonly failures = countersBy('reason', REASONS);
}

/** Finds out who is calling and leaves the `Actor` on the request. The account must be enabled now. */
@Injectable()
export class AuthGuard implements CanActivate {
  private readonly isPublic = new RouteMetadata<boolean>(IS_PUBLIC);

  constructor(
    private readonly tokens: TokensService,
    private readonly figures: AuthenticationFigures,
  ) {}

  canActivate(context: ExecutionContext): true | Promise<true> {
    if (this.isPublic.of(context)) return true;
    return this.identify(context.switchToHttp().getRequest<FastifyRequest>());
  }

  /** @throws Problem `unauthorized` */
  identify(request: FastifyRequest & { user?: Actor }): true | Promise<true> {
    const admit = (actor: Actor): true => {
      request.user = actor;
      return true;
    };
    const refuse = (error: unknown): never => {
      throw error instanceof InvalidToken ? this.refusal(error.fault) : error;
    };
    const { authorization } = request.headers;
    if (!authorization) throw this.refusal('missing');
    try {
      const actor = this.tokens.actorOf(tokenIn(authorization));
      // No await if the account is in memory: every prediction passes here.
      return actor instanceof Promise ? actor.then(admit, refuse) : admit(actor);
    } catch (error) {
      return refuse(error);
    }
  }

  private refusal(reason: Reason): Problem {
    this.figures.failures.with(reason).add();
    return unauthorized(reason !== 'missing');
  }
}

/** RFC 6750 §3.1: no error code if no token was presented. */
function unauthorized(wasPresented: boolean): Problem {
  return wasPresented
    ? new Problem(
        'unauthorized',
        'The token is malformed, expired or revoked, or its user is disabled or removed.',
        {
          members: { error: 'Unauthorized' },
          headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
        },
      )
    : new Problem('unauthorized', 'Send a token from POST /token in the Authorization header.', {
        members: { error: 'Unauthorized' },
      });
}

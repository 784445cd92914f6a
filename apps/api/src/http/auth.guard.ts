import { Inject, Injectable, SetMetadata, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard as PassportGuard } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { isUnavailable } from '#libs/database';
import { Problem, type Actor } from '#libs/errors';
import { JWT_STRATEGY } from '#libs/tokens';

const IS_PUBLIC = 'isPublic';

/** Opens a route to callers without a token. */
export const Public = () => SetMetadata(IS_PUBLIC, true);

/** Who is calling: verifies the token and leaves the `Actor` on the request. */
@Injectable()
export class AuthGuard extends PassportGuard(JWT_STRATEGY) {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {
    super();
  }

  override canActivate(context: ExecutionContext) {
    const isPublic = this.reflector.getAllAndOverride<boolean>(IS_PUBLIC, [context.getHandler(), context.getClass()]);
    return isPublic ? true : super.canActivate(context);
  }

  override handleRequest<User = Actor>(error: unknown, actor: User | false, _info: unknown, context: ExecutionContext): User {
    if (error) throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    if (actor) return actor;
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    throw unauthorized(headers.authorization !== undefined);
  }
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

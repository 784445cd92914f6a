import {
  applyDecorators,
  Injectable,
  SetMetadata,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Problem, type Actor, type Role } from '#libs/errors';
import { Refuses } from '../openapi/refusals.js';
import { RouteMetadata } from './route-metadata.js';

export const ALLOWED_ROLES = 'allowedRoles';

/** Restricts a route to these roles. */
export const Roles = (...roles: Role[]) =>
  applyDecorators(
    SetMetadata(ALLOWED_ROLES, roles),
    Refuses({ forbidden: `The caller does not have the ${roles.join(' or ')} role.` }),
  );

@Injectable()
export class RolesGuard implements CanActivate {
  private readonly allowedRoles = new RouteMetadata<Role[]>(ALLOWED_ROLES);

  canActivate(context: ExecutionContext): boolean {
    const allowed = this.allowedRoles.of(context);
    if (!allowed) return true;
    const { user } = context.switchToHttp().getRequest<FastifyRequest & { user: Actor }>();
    if (allowed.includes(user.role)) return true;
    throw new Problem('forbidden', `This requires the ${allowed.join(' or ')} role.`);
  }
}

import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { AttemptCounts } from '#libs/users';
import { callerNetwork } from '../../guards/caller-network.js';

/** Decides whether strangers may register, and limits how often one address may try. Runs before any other work. */
@Injectable()
export class RegistrationGuard implements CanActivate {
  private readonly isOpen: boolean;
  private readonly perAddress: AttemptCounts;

  constructor(@Inject(CONFIG) { registration, registrationsPerMinute: limit }: Config) {
    this.isOpen = registration === 'open';
    this.perAddress = new AttemptCounts({ limit });
  }

  canActivate(context: ExecutionContext): true {
    if (!this.isOpen) {
      throw new Problem('registration-closed', 'Ask an admin of this service for an account.');
    }
    const waitMs = this.perAddress.add(callerNetwork(context.switchToHttp().getRequest<FastifyRequest>()));
    if (waitMs === 0) return true;
    throw Problem.tooMany('too-many-registrations', 'registrations', waitMs);
  }
}

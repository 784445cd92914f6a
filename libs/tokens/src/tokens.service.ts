import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { CONFIG, type Config } from '#libs/config';
import { Problem, type Actor } from '#libs/errors';
import { countersBy } from '#libs/observability';
import { Passwords, UserDirectory, UsersService, type User } from '#libs/users';
import type { Claims } from './claims.js';
import { LoginThrottle } from './login-throttle.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';

@Injectable()
export class TokensService {
  /** What callers are not told. */
  readonly loginFailures = countersBy('reason', [
    'unknown-user',
    'wrong-password',
    'disabled',
    'throttled',
    'overloaded',
    'unavailable',
  ]);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(SIGNING_KEY) private readonly key: KeyObject,
    @Inject(UsersService) private readonly users: UsersService,
    @Inject(UserDirectory) private readonly directory: UserDirectory,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(LoginThrottle) private readonly throttle: LoginThrottle,
  ) {}

  /**
   * Wrong password, unknown user and disabled user are one answer after the same time.
   * @throws Problem `invalid-credentials`, `too-many-failed-logins`, `overloaded`
   */
  async issueToken(username: string, password: string, address: string): Promise<string> {
    const attempt = await this.throttle.begin(username, address).catch((error: unknown) => {
      this.loginFailures.with('throttled').add();
      throw error;
    });
    const user = await this.authenticate(username, password).catch(async (error: unknown) => {
      const isOverloaded = error instanceof Problem && error.code === 'overloaded';
      this.loginFailures.with(isOverloaded ? 'overloaded' : 'unavailable').add();
      await attempt.notMade();
      throw error;
    });
    if (!user) {
      throw new Problem(
        'invalid-credentials',
        'The username or the password is wrong, or the user is disabled.',
      );
    }
    await attempt.succeeded();
    return jwt.sign({}, this.key, {
      algorithm: ALGORITHM,
      subject: String(user.id),
      issuer: this.config.jwtIssuer,
      audience: this.config.jwtAudience,
      expiresIn: this.config.jwtTtlMinutes * 60,
    });
  }

  /** Whether this token would be accepted now. */
  async isValid(token: string): Promise<boolean> {
    try {
      const claims = jwt.verify(token, this.key, {
        algorithms: [ALGORITHM],
        issuer: this.config.jwtIssuer,
        audience: this.config.jwtAudience,
      }) as Claims;
      return (await this.actorFor(claims)) !== undefined;
    } catch (error) {
      if (error instanceof jwt.JsonWebTokenError) return false;
      throw error;
    }
  }

  /** The enabled account a verified token speaks for. */
  actorFor(claims: Claims): Actor | undefined | Promise<Actor | undefined> {
    return /^[1-9][0-9]{0,9}$/.test(claims.sub) ? this.directory.find(Number(claims.sub)) : undefined;
  }

  private async authenticate(username: string, password: string): Promise<User | undefined> {
    this.passwords.refuseIfBusy();
    const user = await this.users.findForLogin(username);
    const matches = await this.passwords.matches(password, user?.password);
    if (user?.enabled && matches) return user;
    this.loginFailures.with(!user ? 'unknown-user' : matches ? 'disabled' : 'wrong-password').add();
    return undefined;
  }
}

import type { KeyObject } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { CONFIG, type Config } from '#libs/config';
import { Problem, type Actor } from '#libs/errors';
import { countersBy } from '#libs/observability';
import { Passwords, UserDirectory, UsersService, type Account, type User } from '#libs/users';
import type { VerifiedClaims } from './claims.js';
import { InvalidToken } from './invalid-token.js';
import { LoginThrottle } from './login-throttle.js';
import { ALGORITHM, SIGNING_KEY } from './signing-key.js';
import { TokenVerifier } from './token-verifier.js';

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
    private readonly users: UsersService,
    private readonly directory: UserDirectory,
    private readonly passwords: Passwords,
    private readonly throttle: LoginThrottle,
    private readonly verifier: TokenVerifier,
  ) {}

  /**
   * Wrong password, unknown user and disabled user are one answer after the same time.
   * @throws Problem `invalid-credentials`, `too-many-failed-logins`, `overloaded`
   */
  async issueToken(username: string, password: string, address: string) {
    const attempt = this.beginAttempt(username, address);
    const user = await this.authenticate(username, password).catch((error: unknown) => {
      const isOverloaded = error instanceof Problem && error.code === 'overloaded';
      this.loginFailures.with(isOverloaded ? 'overloaded' : 'unavailable').add();
      attempt.notMade();
      throw error;
    });
    if (!user) {
      throw new Problem(
        'invalid-credentials',
        'The username or the password is wrong, or the user is disabled.',
      );
    }
    attempt.succeeded();
    return this.sign(user);
  }

  /**
   * The account that a token speaks for. Not a promise if token and account are in memory: every prediction passes here.
   * @throws InvalidToken, or rejects with it; Problem `overloaded`
   */
  actorOf(token: string): Actor | Promise<Actor> {
    const claims = this.verifier.verify(token);
    return claims instanceof Promise
      ? claims.then((verified) => this.actorFor(verified))
      : this.actorFor(claims);
  }

  /** Whether this token would be accepted now. */
  async isValid(token: string): Promise<boolean> {
    try {
      await this.actorOf(token);
      return true;
    } catch (error) {
      if (error instanceof InvalidToken) return false;
      throw error;
    }
  }

  private actorFor(claims: VerifiedClaims): Actor | Promise<Actor> {
    const account = this.directory.find(claims.userId, claims.epoch);
    return account instanceof Promise
      ? account.then((found) => actorOf(claims, found))
      : actorOf(claims, account);
  }

  private beginAttempt(username: string, address: string) {
    try {
      return this.throttle.begin(username, address);
    } catch (error) {
      this.loginFailures.with('throttled').add();
      throw error;
    }
  }

  private async authenticate(username: string, password: string): Promise<User | undefined> {
    this.passwords.refuseIfBusy('login');
    const user = await this.users.findForLogin(username);
    const matches = await this.passwords.matches(password, user?.password);
    if (user?.enabled && matches) return user;
    this.loginFailures.with(!user ? 'unknown-user' : matches ? 'disabled' : 'wrong-password').add();
    return undefined;
  }

  /** The epoch was read before the password was compared. If tokens were ended in between, this one is ended as well. */
  private sign({ id, accountUuid: account, epoch }: User) {
    const expiresInSeconds = this.config.jwtTtlMinutes * 60;
    const token = jwt.sign({ account, epoch }, this.key, {
      algorithm: ALGORITHM,
      subject: String(id),
      issuer: this.config.jwtIssuer,
      audience: this.config.jwtAudience,
      expiresIn: expiresInSeconds,
    });
    return { token, expiresInSeconds };
  }
}

function actorOf(claims: VerifiedClaims, account: Account | null): Actor {
  if (account?.uuid !== claims.account) throw new InvalidToken('disabled');
  if (account.epoch !== claims.epoch) throw new InvalidToken('revoked');
  return account.actor;
}

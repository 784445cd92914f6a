import { Inject, Injectable } from '@nestjs/common';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';

const WINDOW_SECONDS = 60;
/** One address may fail for this many users at once (an office behind one address), before it is slowed as such. */
const USERS_PER_ADDRESS = 10;

export interface LoginAttempt {
  /** The password was right: the failures before it are forgiven. */
  succeeded(): Promise<void>;
  /** The password was never compared, for a reason of our own: the attempt does not count. */
  notMade(): Promise<void>;
}

/**
 * Failed logins, counted per username and address, and per address over all usernames. Counted in this process:
 * with n replicas an attacker gets n times as many attempts.
 */
@Injectable()
export class LoginThrottle {
  private readonly perUserAndAddress: RateLimiterMemory;
  private readonly perAddress: RateLimiterMemory;

  constructor(@Inject(CONFIG) config: Config) {
    const points = config.loginFailuresPerMinute;
    this.perUserAndAddress = new RateLimiterMemory({ points, duration: WINDOW_SECONDS });
    this.perAddress = new RateLimiterMemory({ points: points * USERS_PER_ADDRESS, duration: WINDOW_SECONDS });
  }

  /**
   * Counts an attempt as failed before it is made, so that attempts made all at once count as well.
   * @throws Problem `too-many-failed-logins` with `Retry-After` in seconds.
   */
  async begin(username: string, address: string): Promise<LoginAttempt> {
    const pair = `${address} ${username.normalize('NFC').toLowerCase()}`;
    try {
      await this.perUserAndAddress.consume(pair);
      await this.perAddress.consume(address);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const seconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      throw new Problem(
        'too-many-failed-logins',
        `Too many failed logins. Try again in ${seconds} seconds.`,
        {
          headers: { 'retry-after': String(seconds) },
        },
      );
    }
    return {
      succeeded: async () => {
        await this.perUserAndAddress.delete(pair);
        await this.perAddress.reward(address);
      },
      notMade: async () => {
        await this.perUserAndAddress.reward(pair);
        await this.perAddress.reward(address);
      },
    };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { AttemptCounts, usernameKeys } from '#libs/users';

/** One address may fail for this many users at once (an office behind one address), before it is slowed as such. */
const USERS_PER_ADDRESS = 10;

/**
 * Failed logins, counted per username and address, and per address over all usernames. Counted in this process:
 * with n replicas an attacker gets n times as many attempts.
 */
@Injectable()
export class LoginThrottle {
  private readonly perAddress: AttemptCounts;
  private readonly perUserAndAddress: AttemptCounts;

  constructor(@Inject(CONFIG) { loginFailuresPerMinute: limit }: Config) {
    this.perAddress = new AttemptCounts({ limit: limit * USERS_PER_ADDRESS });
    this.perUserAndAddress = new AttemptCounts({ limit });
  }

  /**
   * Counts an attempt as failed before it is made, so that simultaneous attempts count as well. The address is counted
   * first: while it is blocked, the names that it tries take no memory.
   * @throws Problem `too-many-failed-logins` with `Retry-After` in seconds.
   */
  begin(username: string, address: string) {
    // The key that the user is found by, so that no spelling of the name has a count of its own.
    const pair = `${address} ${usernameKeys(username)[0] ?? username}`;
    refuseFor(this.perAddress.add(address));
    const waitMs = this.perUserAndAddress.add(pair);
    if (waitMs > 0) this.perAddress.takeBack(address);
    refuseFor(waitMs);
    return {
      /** The password was right: the failures before it are forgiven. */
      succeeded: () => {
        this.perUserAndAddress.forget(pair);
        this.perAddress.takeBack(address);
      },
      /** The password was never compared, for a reason of ours: the attempt does not count. */
      notMade: () => {
        this.perUserAndAddress.takeBack(pair);
        this.perAddress.takeBack(address);
      },
    };
  }
}

function refuseFor(waitMs: number): void {
  if (waitMs > 0) throw Problem.tooMany('too-many-failed-logins', 'failed logins', waitMs);
}

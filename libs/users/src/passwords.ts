import { availableParallelism } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import bcrypt from 'bcrypt';
import pLimit from 'p-limit';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';

/** bcrypt reads 72 bytes and silently drops the rest (https://en.wikipedia.org/wiki/Bcrypt#Maximum_password_length). */
const MAX_PASSWORD_BYTES = 72;
/** The last of them waits ten seconds on two cores; hardly anybody waits longer. */
const MAX_WAITING = 40;

/**
 * Hashing that leaves at least half of the cores to predictions: a hash at cost 12 takes a whole core for about a
 * quarter of a second, and libuv would run four at a time. Beyond `MAX_WAITING` the caller is told to come back.
 */
@Injectable()
export class Passwords {
  private readonly atMostHalfTheCores = pLimit(Math.max(1, Math.floor(availableParallelism() / 2)));
  private readonly cost: number;
  private readonly minLength: number;
  /** Compared against where there is no hash, so that an unknown user takes as long as a wrong password. */
  private readonly dummyHash: Promise<string>;

  constructor(@Inject(CONFIG) config: Config) {
    this.cost = config.bcryptCost;
    this.minLength = config.passwordMinLength;
    this.dummyHash = this.limited(() => bcrypt.hash('no password has this hash', this.cost));
    this.dummyHash.catch(() => undefined);
  }

  /** @throws Problem `bad-request` for a password too short or too long, `overloaded` when too many hashes wait. */
  async hash(password: string): Promise<string> {
    if ([...password].length < this.minLength)
      throw refused(`must be at least ${this.minLength} characters long`);
    if (!isHashable(password))
      throw refused(`must be at most ${MAX_PASSWORD_BYTES} bytes of UTF-8, without NUL`);
    return this.limited(() => bcrypt.hash(password, this.cost));
  }

  /** False, after the same time, where there is no hash or the password could have no hash. */
  async matches(password: string, hash: string | null | undefined): Promise<boolean> {
    const comparable = isHashable(password);
    const candidate = comparable && hash ? hash : await this.dummyHash;
    const equal = await this.limited(() => bcrypt.compare(comparable ? password : '', candidate));
    return equal && candidate === hash;
  }

  /** Whether as many hashes wait as may. */
  get isBusy(): boolean {
    return this.atMostHalfTheCores.pendingCount >= MAX_WAITING;
  }

  /** Asked before whatever else an attempt costs. @throws Problem `overloaded` when too many hashes wait */
  refuseIfBusy(): void {
    if (this.isBusy) {
      throw Problem.overloaded('Too many passwords are being checked at the moment. Please try again.', 5);
    }
  }

  private limited<T>(work: () => Promise<T>): Promise<T> {
    this.refuseIfBusy();
    return this.atMostHalfTheCores(work);
  }
}

function isHashable(password: string): boolean {
  return Buffer.byteLength(password) <= MAX_PASSWORD_BYTES && !password.includes('\0');
}

function refused(detail: string): Problem {
  return Problem.badRequest(`The password ${detail}.`, [{ detail, pointer: '#/password' }]);
}

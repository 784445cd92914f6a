import { availableParallelism } from 'node:os';
import { Inject, Injectable } from '@nestjs/common';
import bcrypt from 'bcrypt';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { Turns } from './turns.js';

/** bcrypt reads 72 bytes and silently drops the rest (https://en.wikipedia.org/wiki/Bcrypt#Maximum_password_length). */
export const MAX_PASSWORD_BYTES = 72;
/** The longest password that a login accepts for comparison; real ones are much shorter. */
export const MAX_LOGIN_PASSWORD_LENGTH = 1024;
/** On two cores the last one waits ten seconds, or twenty if the other queue is full as well. */
const MAX_WAITING = { login: 40, registration: 40 } as const;
export type HashingPurpose = keyof typeof MAX_WAITING;

/**
 * Hashing that leaves at least half of the cores to predictions: a hash at cost 12 takes a whole core for about a
 * quarter of a second, and libuv would run four at a time. Logins and registrations take turns, so that a flood of one
 * leaves half of the hashing to the other. Beyond `MAX_WAITING` the caller is told to come back.
 */
@Injectable()
export class Passwords {
  private readonly halfTheCores = new Turns(Math.max(1, Math.floor(availableParallelism() / 2)), MAX_WAITING);
  /** Compared against where there is no hash, so that an unknown user takes as long as a wrong password. */
  private readonly dummyHash: Promise<string>;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    const { bcryptCost } = config;
    this.dummyHash = this.limited('login', () => bcrypt.hash('no password has this hash', bcryptCost));
    this.dummyHash.catch(() => undefined);
  }

  /** @throws Problem `bad-request` for a password too short or too long, `overloaded` when too many hashes wait. */
  async hash(password: string): Promise<string> {
    const { passwordMinLength: minLength, bcryptCost } = this.config;
    if ([...password].length < minLength) throw refused(`must be at least ${minLength} characters long`);
    if (!isHashable(password))
      throw refused(`must be at most ${MAX_PASSWORD_BYTES} bytes of UTF-8, without NUL or lone surrogates`);
    return this.limited('registration', () => bcrypt.hash(password, bcryptCost));
  }

  /** False, after the same time, where there is no hash or the password could have no hash. */
  async matches(password: string, hash: string | null | undefined): Promise<boolean> {
    const comparable = isHashable(password);
    const candidate = comparable && hash ? hash : await this.dummyHash;
    const equal = await this.limited('login', () => bcrypt.compare(comparable ? password : '', candidate));
    return equal && candidate === hash;
  }

  /** Whether the queue for this purpose is full. */
  isBusy(purpose: HashingPurpose): boolean {
    return this.halfTheCores.isFull(purpose);
  }

  /** Asked before whatever else an attempt costs. @throws Problem `overloaded` when too many hashes wait */
  refuseIfBusy(purpose: HashingPurpose): void {
    if (this.isBusy(purpose)) {
      throw Problem.overloaded('Too many passwords are being checked at the moment. Please try again.', 5);
    }
  }

  private async limited<T>(purpose: HashingPurpose, work: () => Promise<T>): Promise<T> {
    this.refuseIfBusy(purpose);
    return this.halfTheCores.take(purpose, work);
  }
}

function isHashable(password: string): boolean {
  // bcrypt stops at NUL, and all lone surrogates become the same bytes in UTF-8.
  return (
    Buffer.byteLength(password) <= MAX_PASSWORD_BYTES && !password.includes('\0') && password.isWellFormed()
  );
}

function refused(detail: string): Problem {
  return Problem.badRequest(`The password ${detail}.`, [{ detail, pointer: '#/password' }]);
}

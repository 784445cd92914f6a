import { Injectable } from '@nestjs/common';
import { ChangeListener } from '#libs/database';
import { Problem, type Actor } from '#libs/errors';
import { LRUCache } from 'lru-cache';
import { DataSource, IsNull } from 'typeorm';
import { User } from './user.entity.js';

/** An account that may act now, and what a token must claim to speak for it. */
export interface Account {
  readonly actor: Actor;
  readonly uuid: string;
  readonly epoch: number;
}

/**
 * Who may act now, by user id: read from the database once and then kept in memory for as long as the change
 * listener vouches for it. An account that is not kept is answered by a read that began after the call. Calls that wait
 * for the same user share a read, so that a service that has fallen behind does not read once per call.
 *
 * Invariants
 * - an account changed by this process is forgotten before the change is reported as done;
 * - one changed elsewhere is forgotten when its notification arrives, or not used once the listener is not live
 *   (under a second either way);
 * - a read that was on its way while its account changed is never kept.
 */
const MAX_KEPT = 100_000;
/** Users that are being read at the same time. */
const MAX_READS = 1_000;

interface Known {
  /** Null if it does not exist or may not act. */
  readonly account: Account | null;
}

interface Read {
  readonly result: Promise<Account | null>;
  /** The account changed after it began. */
  isOutdated: boolean;
  /** The read that follows, shared by all calls that came after this one began. */
  next?: Promise<Account | null>;
}

@Injectable()
export class UserDirectory {
  private readonly kept = new LRUCache<number, Known>({ max: MAX_KEPT });
  private readonly reads = new Map<number, Read>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly changes: ChangeListener,
  ) {
    changes.subscribe(
      'foretell_users',
      (userId) => this.forget(Number(userId)),
      () => this.forgetAll(),
    );
  }

  /**
   * The enabled account with this id; null if it is unknown, disabled or removed. `epoch` comes from the caller's token:
   * a token that another process issued may arrive here before the notification of the change that began its epoch.
   * @throws Problem `overloaded`
   */
  find(userId: number, epoch: number): Account | null | Promise<Account | null> {
    if (this.changes.isLive) {
      const known = this.kept.get(userId);
      if (known && (known.account === null || known.account.epoch >= epoch)) return known.account;
    }
    const running = this.reads.get(userId);
    if (!running) return this.read(userId);
    running.next ??= running.result.catch(() => null).then(() => this.read(userId));
    return running.next;
  }

  forget(userId: number): void {
    this.kept.delete(userId);
    const running = this.reads.get(userId);
    if (running) running.isOutdated = true;
  }

  private forgetAll(): void {
    this.kept.clear();
    for (const read of this.reads.values()) read.isOutdated = true;
  }

  private async read(userId: number): Promise<Account | null> {
    if (this.reads.size >= MAX_READS) throw Problem.overloaded('Too many users are being looked up.');
    const read: Read = { result: this.query(userId), isOutdated: false };
    this.reads.set(userId, read);
    try {
      const account = await read.result;
      if (!read.isOutdated && this.changes.isLive) this.kept.set(userId, { account });
      return account;
    } finally {
      if (this.reads.get(userId) === read) this.reads.delete(userId);
    }
  }

  private async query(userId: number): Promise<Account | null> {
    const user = await this.dataSource
      .getRepository(User)
      .findOneBy({ id: userId, enabled: true, removedDatetime: IsNull() });
    if (!user) return null;
    const { id, username, role, accountUuid: uuid, epoch } = user;
    return { actor: { userId: id, username: username!, role }, uuid, epoch };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { ChangeListener } from '#libs/database';
import type { Actor } from '#libs/errors';
import { DataSource, IsNull } from 'typeorm';
import { User } from './user.entity.js';

/**
 * Who may act now, by user id: read from the database once and then kept in memory for as long as the change
 * listener vouches for it. While it does not, every call has a read that began after it; those of one user that wait
 * together share one, because a service that has fallen behind would otherwise be asked for as many as it has calls.
 *
 * Invariants
 * - an account changed by this process is forgotten before the change is reported as done;
 * - one changed elsewhere is forgotten when its notification arrives, or not used once the listener is not live
 *   (under a second either way);
 * - a read that was on its way while its account changed is never kept.
 */
const MAX_KEPT = 100_000;

@Injectable()
export class UserDirectory {
  private readonly kept = new Map<number, Actor | undefined>();
  private readonly reading = new Map<number, Promise<Actor | undefined>>();
  /** While the listener is not live: the read that runs, and the one that follows it. */
  private readonly running = new Map<number, Promise<Actor | undefined>>();
  private readonly following = new Map<number, Promise<Actor | undefined>>();
  private readonly dataSource: DataSource;
  private readonly changes: ChangeListener;

  constructor(@Inject(DataSource) dataSource: DataSource, @Inject(ChangeListener) changes: ChangeListener) {
    this.dataSource = dataSource;
    this.changes = changes;
    changes.subscribe(
      'foretell_users',
      (userId) => this.forget(Number(userId)),
      () => this.forgetAll(),
    );
  }

  /** The enabled account with this id; undefined if it is unknown, disabled or removed. */
  find(userId: number): Actor | undefined | Promise<Actor | undefined> {
    if (this.changes.isLive) {
      if (this.kept.has(userId)) return this.kept.get(userId);
      const reading = this.reading.get(userId);
      if (reading) return reading;
    }
    return this.changes.isLive ? this.read(userId) : this.readFromNow(userId);
  }

  forget(userId: number): void {
    this.kept.delete(userId);
    this.reading.delete(userId);
  }

  private forgetAll(): void {
    this.kept.clear();
    this.reading.clear();
  }

  private readFromNow(userId: number): Promise<Actor | undefined> {
    const following = this.following.get(userId);
    if (following) return following;
    const running = this.running.get(userId);
    if (!running) return this.run(userId);
    const next = running
      .catch(() => undefined)
      .then(() => {
        this.following.delete(userId);
        return this.run(userId);
      });
    this.following.set(userId, next);
    return next;
  }

  private run(userId: number): Promise<Actor | undefined> {
    const running = this.read(userId).finally(() => {
      if (this.running.get(userId) === running) this.running.delete(userId);
    });
    this.running.set(userId, running);
    return running;
  }

  private async read(userId: number): Promise<Actor | undefined> {
    const reading = this.query(userId);
    this.reading.set(userId, reading);
    try {
      const actor = await reading;
      // `forget` has taken our entry away if the account changed meanwhile.
      if (this.reading.get(userId) === reading && this.changes.isLive) this.keep(userId, actor);
      return actor;
    } finally {
      if (this.reading.get(userId) === reading) this.reading.delete(userId);
    }
  }

  private async query(userId: number): Promise<Actor | undefined> {
    const user = await this.dataSource
      .getRepository(User)
      .findOneBy({ id: userId, enabled: true, removedDatetime: IsNull() });
    return user ? { userId: user.id, username: user.username!, role: user.role } : undefined;
  }

  private keep(userId: number, actor: Actor | undefined): void {
    // A Map iterates in order of insertion: the first key is the one kept longest.
    if (this.kept.size >= MAX_KEPT) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(userId, actor);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { isUniqueViolation } from '#libs/database';
import { Problem, type Role } from '#libs/errors';
import { DataSource, IsNull, type Repository } from 'typeorm';
import { Passwords } from './passwords.js';
import { UserDirectory } from './user-directory.js';
import { User } from './user.entity.js';

export interface NewUser {
  username: string;
  password: string;
  email: string;
  role?: Role;
}

@Injectable()
export class UsersService {
  private readonly users: Repository<User>;

  constructor(
    @Inject(DataSource) dataSource: DataSource,
    @Inject(Passwords) private readonly passwords: Passwords,
    @Inject(UserDirectory) private readonly directory: UserDirectory,
  ) {
    this.users = dataSource.getRepository(User);
  }

  /** @throws Problem `user-already-exists` with the `user_id` that has this name, whatever its case. */
  async register({ username, password, email, role = 'user' }: NewUser): Promise<User> {
    const name = username.normalize('NFC');
    this.passwords.refuseIfBusy();
    // Asked before the hash is computed, so that repeated registrations cost next to nothing; the unique index
    // decides between those that pass here together.
    await this.refuseTaken(name);
    const hash = await this.passwords.hash(password);
    try {
      return await this.users.save({ username: name, password: hash, email, role });
    } catch (error) {
      if (isUniqueViolation(error)) await this.refuseTaken(name);
      throw error;
    }
  }

  /** With the password's hash, which no other method reads. */
  async findForLogin(username: string): Promise<User | null> {
    // PostgreSQL has no text with NUL in it, so that nobody can have registered such a name.
    if (username.includes('\0')) return null;
    return this.byUsername(username).addSelect('users.password').getOne();
  }

  findByUsername(username: string): Promise<User | null> {
    return this.byUsername(username).getOne();
  }

  /** In order of id, without the removed. */
  list(): Promise<User[]> {
    return this.users.find({ where: { removedDatetime: IsNull() }, order: { id: 'ASC' } });
  }

  setEnabled(userId: number, enabled: boolean): Promise<void> {
    return this.change(userId, { enabled });
  }

  setRole(userId: number, role: Role): Promise<void> {
    return this.change(userId, { role });
  }

  async setPassword(userId: number, password: string): Promise<void> {
    await this.change(userId, { password: await this.passwords.hash(password) });
  }

  /** Erases the person and keeps the number that their recorded predictions bear. */
  remove(userId: number): Promise<void> {
    return this.change(userId, {
      username: null,
      password: null,
      email: null,
      enabled: false,
      removedDatetime: new Date(),
    });
  }

  /** @throws Problem `user-not-found` */
  private async change(userId: number, values: Partial<User>): Promise<void> {
    const { affected } = await this.users.update({ id: userId, removedDatetime: IsNull() }, values);
    if (affected === 0) throw new Problem('user-not-found', `There is no user ${userId}.`);
    this.directory.forget(userId);
  }

  private byUsername(username: string) {
    return this.users
      .createQueryBuilder('users')
      .where('lower(users.username) = lower(:username)', { username: username.normalize('NFC') });
  }

  private async refuseTaken(username: string): Promise<void> {
    const user = await this.findByUsername(username);
    if (!user) return;
    throw new Problem('user-already-exists', 'This username is taken. Please choose another.', {
      members: { user_id: user.id },
    });
  }
}

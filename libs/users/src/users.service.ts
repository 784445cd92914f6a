import { Injectable } from '@nestjs/common';
import { isUniqueViolation } from '#libs/database';
import { Problem, type Role } from '#libs/errors';
import { DataSource, IsNull, type EntityManager, type Repository, type SelectQueryBuilder } from 'typeorm';
import { findEmailProblem, normalizeEmail } from './email.js';
import { Passwords } from './passwords.js';
import { UserDirectory } from './user-directory.js';
import { User } from './user.entity.js';
import { findUsernameProblem, readUsername, usernameKeys } from './username.js';

export interface NewUser {
  username: string;
  password: string;
  email: string;
  role?: Role;
}

/** Admins who can act. */
const ACTING_ADMINS = { role: 'admin', enabled: true, removedDatetime: IsNull() } as const;

@Injectable()
export class UsersService {
  private readonly users: Repository<User>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly passwords: Passwords,
    private readonly directory: UserDirectory,
  ) {
    this.users = dataSource.getRepository(User);
  }

  /**
   * @throws Problem `bad-request` for a bad name, address or password, `user-already-exists` with the `user_id` that has
   *   this name, whatever its case, `overloaded`
   */
  async register({ username: typed, password, email, role = 'user' }: NewUser): Promise<User> {
    refuse('username', findUsernameProblem(typed));
    refuse('email', findEmailProblem(email));
    const { shown: username, key: usernameKey } = readUsername(typed);
    this.passwords.refuseIfBusy('registration');
    // Asked before the hash is computed, so that repeated registrations cost next to nothing; the unique index
    // decides between those that pass here together.
    await this.refuseTaken(usernameKey);
    const hash = await this.passwords.hash(password);
    try {
      return await this.users.save({
        username,
        usernameKey,
        password: hash,
        email: normalizeEmail(email),
        role,
      });
    } catch (error) {
      if (isUniqueViolation(error)) await this.refuseTaken(usernameKey);
      throw error;
    }
  }

  /** With the password's hash, which no other method reads. */
  findForLogin(username: string): Promise<User | null> {
    return this.find(username, (query) => query.addSelect('users.password'));
  }

  findByUsername(username: string): Promise<User | null> {
    return this.find(username);
  }

  /** In order of id, without the removed. */
  list(): Promise<User[]> {
    return this.users.find({ where: { removedDatetime: IsNull() }, order: { id: 'ASC' } });
  }

  /** Disabling ends the tokens that were issued before. @throws Problem `user-not-found`, `last-admin` */
  setEnabled(userId: number, enabled: boolean): Promise<void> {
    return this.change(userId, { enabled });
  }

  /** Tokens stay valid: the role is looked up on every call. @throws Problem `user-not-found`, `last-admin` */
  setRole(userId: number, role: Role): Promise<void> {
    return this.change(userId, { role });
  }

  /** Ends the tokens that were issued before. @throws Problem `user-not-found` and those of `Passwords.hash` */
  async setPassword(userId: number, password: string): Promise<void> {
    await this.change(userId, { password: await this.passwords.hash(password) });
  }

  /** Ends the tokens that were issued before. @throws Problem `user-not-found` */
  revokeTokens(userId: number): Promise<void> {
    return this.change(userId, { epoch: () => 'epoch + 1' });
  }

  /**
   * Erases the person and keeps the number that their recorded predictions bear.
   * @throws Problem `user-not-found`, `last-admin`
   */
  remove(userId: number): Promise<void> {
    return this.change(userId, {
      username: null,
      usernameKey: null,
      password: null,
      email: null,
      enabled: false,
      removedDatetime: new Date(),
    });
  }

  private async change(userId: number, values: Changes): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      if (values.enabled === false || (values.role !== undefined && values.role !== 'admin')) {
        await refuseLastAdmin(manager, userId);
      }
      const { affected } = await manager.update(User, { id: userId, removedDatetime: IsNull() }, values);
      if (affected === 0) throw new Problem('user-not-found', `There is no user ${userId}.`);
    });
    this.directory.forget(userId);
  }

  /** If several users match, the one with the least usual key is meant: a user from before PRECIS has only that one. */
  private async find(username: string, select = (query: UsersQuery) => query): Promise<User | null> {
    const keys = usernameKeys(username);
    const query = this.users.createQueryBuilder('users').where('users.username_key = ANY(:keys)', { keys });
    const found = await select(query).getMany();
    const rank = ({ usernameKey }: User) => keys.indexOf(usernameKey!);
    return found.toSorted((one, other) => rank(other) - rank(one))[0] ?? null;
  }

  private async refuseTaken(usernameKey: string): Promise<void> {
    const user = await this.users.findOneBy({ usernameKey });
    if (!user) return;
    throw new Problem('user-already-exists', 'This username is taken. Please choose another.', {
      members: { user_id: user.id },
    });
  }
}

type Changes = Parameters<Repository<User>['update']>[1];
type UsersQuery = SelectQueryBuilder<User>;

/**
 * Two admins who act against each other at the same moment wait for one another here: each locks the rows of all admins, in
 * the same order, and then sees what the other has done.
 */
async function refuseLastAdmin(manager: EntityManager, userId: number): Promise<void> {
  const admins = await manager.find(User, {
    where: ACTING_ADMINS,
    order: { id: 'ASC' },
    // Does not block predictions of these admins, whose rows reference theirs.
    lock: { mode: 'for_no_key_update' },
  });
  if (admins.length !== 1 || admins[0]!.id !== userId) return;
  throw new Problem(
    'last-admin',
    'This is the last admin who can act, and nobody could undo that. Make somebody else an admin first.',
  );
}

function refuse(field: 'username' | 'email', detail: string | undefined): void {
  if (detail === undefined) return;
  throw Problem.badRequest(`The ${field} ${detail}.`, [{ detail, pointer: `#/${field}` }]);
}

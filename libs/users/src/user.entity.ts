import type { Role } from '#libs/errors';
import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  Index,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
} from 'typeorm';

@Entity('users')
@Index('users_username_key_key', ['usernameKey'], { unique: true })
@Check('users_role_check', `role IN ('user', 'analyst', 'admin')`)
@Check('users_removed_check', `removed_datetime IS NULL`)
export class User {
  @PrimaryGeneratedColumn('identity', {
    type: 'integer',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'users_pkey',
  })
  id!: number;

  /** As people read it. Null once the person is removed, like `usernameKey`, `password` and `email`. */
  @Column('text', { nullable: true })
  username!: string | null;

  /** What it is found by, and unique (username.ts). The database makes one where a name was set by hand. */
  @Column('text', { name: 'username_key', nullable: true })
  usernameKey!: string | null;

  /** A bcrypt hash. */
  @Column('text', { nullable: true, select: false })
  password!: string | null;

  @Column('text', { nullable: true })
  email!: string | null;

  @Column('text', { default: 'user' })
  role!: Role;

  @Column('boolean', { default: true })
  enabled!: boolean;

  /**
   * What nobody can guess, made by the database: a token names it, so that it is not taken for that of somebody with the
   * same number.
   */
  @Column('uuid', { name: 'account_uuid' })
  accountUuid!: string;

  /** Tokens of an earlier one have ended. The database begins another with a new password, and when disabled. */
  @Column('integer', { default: 1 })
  epoch!: number;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  @Column('timestamptz', { name: 'removed_datetime', nullable: true })
  removedDatetime!: Date | null;
}

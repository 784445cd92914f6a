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

  /** Unique, and what the user is found by (username.ts). A trigger fills it in when a name is set by hand. */
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
   * Cannot be guessed; a trigger makes it. Tokens name it, so that a token is never mistaken for that of another user with
   * the same id.
   */
  @Column('uuid', { name: 'account_uuid' })
  accountUuid!: string;

  /** Tokens of an earlier epoch have ended. A trigger raises it when the password changes or the user is disabled. */
  @Column('integer', { default: 1 })
  epoch!: number;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  @Column('timestamptz', { name: 'removed_datetime', nullable: true })
  removedDatetime!: Date | null;
}

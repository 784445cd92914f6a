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
@Index('users_username_key', { synchronize: false })
@Check('users_role_check', `role IN ('user', 'analyst', 'admin')`)
@Check('users_removed_check', `removed_datetime IS NULL`)
export class User {
  @PrimaryGeneratedColumn('identity', {
    type: 'integer',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'users_pkey',
  })
  id!: number;

  /** As registered; unique whatever its case. Null once the person is removed, like `password` and `email`. */
  @Column('text', { nullable: true })
  username!: string | null;

  /** A bcrypt hash. */
  @Column('text', { nullable: true, select: false })
  password!: string | null;

  @Column('text', { nullable: true })
  email!: string | null;

  @Column('text', { default: 'user' })
  role!: Role;

  @Column('boolean', { default: true })
  enabled!: boolean;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  @Column('timestamptz', { name: 'removed_datetime', nullable: true })
  removedDatetime!: Date | null;
}

import { Check, Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { ModelVersion } from './model-version.entity.js';

/** Which version an alias stands for, from `createdDatetime` until `replacedDatetime`; the current one has no end. */
@Entity('model_aliases')
@Index('model_aliases_current_key', ['name', 'alias'], { unique: true, where: 'replaced_datetime IS NULL' })
@Check('model_aliases_percent_check', 'percent >= 0 AND percent <= 100')
@ForeignKey(() => ModelVersion, ['name', 'version'], ['name', 'version'], {
  name: 'model_aliases_version_fkey',
})
export class ModelAlias {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'model_aliases_pkey',
  })
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  alias!: string;

  /** Null if the alias was removed. */
  @Column('text', { nullable: true })
  version!: string | null;

  /** The percentage of users, for a canary. */
  @Column('real', { nullable: true })
  percent!: number | null;

  @ForeignKey('users', { name: 'model_aliases_set_by_fkey' })
  @Column('integer', { name: 'set_by', nullable: true })
  setBy!: number | null;

  @Column('text', { name: 'set_from' })
  setFrom!: string;

  /** The row that a rollback went back to. */
  @ForeignKey(() => ModelAlias, { name: 'model_aliases_restored_id_fkey' })
  @Column('bigint', { name: 'restored_id', nullable: true })
  restoredId!: string | null;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @Column('timestamptz', { name: 'replaced_datetime', nullable: true })
  replacedDatetime!: Date | null;
}

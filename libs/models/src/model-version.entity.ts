import type { Manifest } from '#libs/inference';
import {
  Check,
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  PrimaryColumn,
  UpdateDateColumn,
} from 'typeorm';

/** A version of a model, checked before it was written here, and never changed. */
@Entity('model_versions')
@Check(
  'model_versions_state_check',
  `((state = 'ready' AND failure IS NULL) OR (state = 'failed' AND failure IS NOT NULL))`,
)
export class ModelVersion {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'model_versions_pkey' })
  name!: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'model_versions_pkey' })
  version!: string;

  /** The hash of `model.onnx`, as in the manifest. */
  @Column('text')
  sha256!: string;

  /** The hash of all the files that make up the version. */
  @Column('text', { name: 'content_sha256' })
  contentSha256!: string;

  @Column('jsonb')
  manifest!: Manifest;

  /** The result of the last check. */
  @Column('text', { default: 'ready' })
  state!: 'ready' | 'failed';

  /** Why the last check failed. */
  @Column('text', { nullable: true })
  failure!: string | null;

  /** The release that found it quick for any input, and need not check that again. */
  @Column('text', { name: 'checked_by', nullable: true })
  checkedBy!: string | null;

  /** The table by its name: the registry knows no other feature. Null if it was not one of our users. */
  @ForeignKey('users', { name: 'model_versions_registered_by_fkey' })
  @Column('integer', { name: 'registered_by', nullable: true })
  registeredBy!: number | null;

  @Column('text', { name: 'registered_from' })
  registeredFrom!: string;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;
}

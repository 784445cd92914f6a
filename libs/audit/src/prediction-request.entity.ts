import {
  Column,
  CreateDateColumn,
  Entity,
  ForeignKey,
  Index,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
} from 'typeorm';

/** What was asked. Written by `Recorder`, in one statement with its response. */
@Entity('requests')
@Index('requests_user_id_idx', ['userId', 'id'])
@Index('requests_created_datetime_idx', { synchronize: false })
export class PredictionRequest {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'requests_pkey',
  })
  id!: string;

  /** The table by its name: the record knows no other feature. */
  @ForeignKey('users', { name: 'requests_user_id_fkey' })
  @Column('integer', { name: 'user_id' })
  userId!: number;

  /** As sent, or its equal in JSON where it was CSV or binary; null where it could not be read. */
  @Column('jsonb', { nullable: true })
  input!: unknown;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  /** The caller's `X-Request-Id`, or ours. */
  @Column('text', { name: 'request_uuid' })
  requestUuid!: string;

  @Column('text')
  model!: string;

  @Column('text', { name: 'model_version' })
  modelVersion!: string;

  @Column('text')
  dialect!: string;

  @Column('text', { name: 'ignored_columns', array: true, default: [] })
  ignoredColumns!: string[];

  /** Null where the body could not be read, and of what was recorded before rows were counted. */
  @Column('integer', { name: 'row_count', nullable: true })
  rowCount!: number | null;
}

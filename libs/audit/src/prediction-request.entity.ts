import {
  Column,
  Entity,
  ForeignKey,
  Index,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
} from 'typeorm';

/** What was asked. Written by `Recorder`, in one statement with its response; one partition of the table per month. */
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

  /**
   * As sent, or its equivalent in JSON if it was CSV or binary; null if it could not be read. What no answer was made
   * from is recorded only up to its writer's limit, and the value says so.
   */
  @Column('jsonb', { nullable: true })
  input!: unknown;

  /** When it was recorded, together with its response. */
  @PrimaryColumn('timestamptz', {
    name: 'created_datetime',
    default: () => 'now()',
    primaryKeyConstraintName: 'requests_pkey',
  })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  /** The caller's `X-Request-Id`, or ours. */
  @Index('requests_request_uuid_idx')
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

  /** Null if the body could not be read, and for what was recorded before rows were counted. */
  @Column('integer', { name: 'row_count', nullable: true })
  rowCount!: number | null;

  /** Of the commit that wrote it (`Commit`); null in what releases before 0.3 recorded. */
  @Column('integer', { nullable: true })
  writer!: number | null;

  @Column('bigint', { nullable: true })
  seq!: string | null;

  /** Its place in the commit, from 1. */
  @Column('smallint', { nullable: true })
  index!: number | null;
}

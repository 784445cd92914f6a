import type { FileFormat } from '#libs/scoring';
import { Check, Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';

/** Formats of the input and the output file; named here, so that only code that scores loads their readers. */
export const BATCH_FORMATS = ['csv', 'tsv', 'jsonl', 'parquet'] as const satisfies readonly FileFormat[];
export type BatchFormat = (typeof BATCH_FORMATS)[number];

/** `queued` → `running` → one of the others, which are final; back to `queued` if its worker stopped or died. */
export type BatchState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** Counts of bytes and rows: far below 2^53. */
const asNumber = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};

/** The record of one file that was sent to be scored. It stays when the files are gone. */
@Entity('batches')
@Index('batches_user_id_idx', ['userId', 'createdDatetime', 'id'])
@Index('batches_created_datetime_idx', ['createdDatetime', 'id'])
@Index('batches_unfinished_idx', ['userId'], { where: 'finished_datetime IS NULL' })
@Index('batches_kept_idx', ['userId', 'expiresDatetime'], { where: 'expires_datetime IS NOT NULL' })
@Check('batches_format_check', `format IN ('csv', 'tsv', 'jsonl', 'parquet')`)
@Check('batches_state_check', `state IS NOT NULL`)
@Check('batches_lease_check', `(state = 'running') = (lease_expires_datetime IS NOT NULL)`)
export class Batch {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'batches_pkey' })
  id!: string;

  /** The table by its name: this library does not depend on users. */
  @ForeignKey('users', { name: 'batches_user_id_fkey' })
  @Column('integer', { name: 'user_id' })
  userId!: number;

  @Column('text')
  model!: string;

  /** The version that the reference stood for when it was sent. */
  @Column('text', { name: 'model_version' })
  modelVersion!: string;

  @Column('text')
  format!: BatchFormat;

  @Column('text', { default: 'queued' })
  state!: BatchState;

  /** As it was sent, which may be compressed. */
  @Column('bigint', { name: 'input_bytes', transformer: asNumber })
  inputBytes!: number;

  @Column('text', { name: 'input_sha256' })
  inputSha256!: string;

  /** The share of the input that is done, from 0 to 1. */
  @Column('real', { name: 'share_done', default: 0 })
  shareDone!: number;

  @Column('bigint', { default: 0, transformer: asNumber })
  rows!: number;

  /** Rows that carry an error instead of a prediction. */
  @Column('bigint', { default: 0, transformer: asNumber })
  errors!: number;

  /** The rate of the current run, or of the last one. */
  @Column('real', { name: 'rows_per_second', nullable: true })
  rowsPerSecond!: number | null;

  /** How often a worker has begun or resumed it: the number of the run that may write to its row. */
  @Column('integer', { default: 0 })
  runs!: number;

  /** While it is running: when its worker is considered dead, unless it reports before. */
  @Column('timestamptz', { name: 'lease_expires_datetime', nullable: true })
  leaseExpiresDatetime!: Date | null;

  /** How many workers in a row died on it without coming further than the one before. */
  @Column('integer', { name: 'lost_workers', default: 0 })
  lostWorkers!: number;

  /** How much of the input was done when the last one died. */
  @Column('real', { name: 'lost_share', default: 0 })
  lostShare!: number;

  /** The size of the output so far, until it is finished. */
  @Column('bigint', { name: 'written_bytes', default: 0, transformer: asNumber })
  writtenBytes!: number;

  @Column('text', { nullable: true })
  failure!: string | null;

  @Column('bigint', { name: 'output_bytes', nullable: true, transformer: asNumber })
  outputBytes!: number | null;

  @Column('text', { name: 'output_sha256', nullable: true })
  outputSha256!: string | null;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @Column('timestamptz', { name: 'started_datetime', nullable: true })
  startedDatetime!: Date | null;

  @Column('timestamptz', { name: 'finished_datetime', nullable: true })
  finishedDatetime!: Date | null;

  /** When the output is deleted, or was. */
  @Column('timestamptz', { name: 'expires_datetime', nullable: true })
  expiresDatetime!: Date | null;
}

import { Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';

/** What was answered under an `Idempotency-Key`. Written by `Recorder`, in one statement with the record. */
@Entity('idempotency_keys')
export class IdempotencyKey {
  @ForeignKey('users', { name: 'idempotency_keys_user_id_fkey' })
  @PrimaryColumn('integer', { name: 'user_id', primaryKeyConstraintName: 'idempotency_keys_pkey' })
  userId!: number;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'idempotency_keys_pkey' })
  key!: string;

  /** A hash of the question, so that a different one under the same key is noticed. */
  @Column('text')
  fingerprint!: string;

  /** The row in `requests`. */
  @Column('bigint', { name: 'request_id' })
  requestId!: string;

  /** Exactly as it was sent, byte for byte. */
  @Column('text')
  answer!: string;

  @Index('idempotency_keys_created_datetime_idx')
  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;
}

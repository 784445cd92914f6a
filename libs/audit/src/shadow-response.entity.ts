import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** What a candidate would have answered to a request that another version answered. */
@Entity('shadow_responses')
export class ShadowResponse {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'shadow_responses_pkey',
  })
  id!: string;

  @Index('shadow_responses_request_id_idx')
  /** The row in `requests`; the two are in partitions of different months if a month ended between them. */
  @Column('bigint', { name: 'request_id' })
  requestId!: string;

  @Column('text', { name: 'model_version' })
  modelVersion!: string;

  @Column('smallint', { name: 'status_code' })
  statusCode!: number;

  /** In the dialect of the request. */
  @Column('jsonb', { nullable: true })
  output!: unknown;

  @Column('real', { name: 'duration_ms' })
  durationMs!: number;

  @PrimaryColumn('timestamptz', {
    name: 'created_datetime',
    default: () => 'now()',
    primaryKeyConstraintName: 'shadow_responses_pkey',
  })
  createdDatetime!: Date;
}

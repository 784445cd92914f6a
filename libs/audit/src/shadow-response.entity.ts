import { Column, CreateDateColumn, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm';
import { PredictionRequest } from './prediction-request.entity.js';

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
  @ForeignKey(() => PredictionRequest, { name: 'shadow_responses_request_id_fkey' })
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

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;
}

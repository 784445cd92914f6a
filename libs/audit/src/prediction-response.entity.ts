import { Column, Entity, ForeignKey, Generated, Index, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { PredictionRequest } from './prediction-request.entity.js';

/** What was answered, or why nothing was: `output` is the body as it was sent. Every request has one. */
@Entity('responses')
@ForeignKey(() => PredictionRequest, ['requestId', 'createdDatetime'], ['id', 'createdDatetime'], {
  name: 'responses_request_id_fkey',
})
@Index('responses_refused_idx', ['statusCode', 'requestId'], { where: 'status_code <> 200' })
export class PredictionResponse {
  @Column('bigint')
  @Generated('increment')
  id!: string;

  @PrimaryColumn('bigint', { name: 'request_id', primaryKeyConstraintName: 'responses_pkey' })
  requestId!: string;

  @Column('jsonb', { nullable: true })
  output!: unknown;

  /** The same as its request's. */
  @PrimaryColumn('timestamptz', {
    name: 'created_datetime',
    default: () => 'now()',
    primaryKeyConstraintName: 'responses_pkey',
  })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  @Column('smallint', { name: 'status_code' })
  statusCode!: number;

  @Column('real', { name: 'duration_ms' })
  durationMs!: number;
}

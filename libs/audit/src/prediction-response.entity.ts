import {
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  OneToOne,
  PrimaryGeneratedColumn,
  Unique,
  UpdateDateColumn,
  type Relation,
} from 'typeorm';
import { PredictionRequest } from './prediction-request.entity.js';

/** What was answered, or why nothing was: `output` is the body as it left. */
@Entity('responses')
@Unique('responses_request_id_key', ['request'])
export class PredictionResponse {
  @PrimaryGeneratedColumn('identity', {
    type: 'bigint',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'responses_pkey',
  })
  id!: string;

  @OneToOne(() => PredictionRequest, { nullable: false })
  @JoinColumn({ name: 'request_id', foreignKeyConstraintName: 'responses_request_id_fkey' })
  request!: Relation<PredictionRequest>;

  @Column('jsonb', { nullable: true })
  output!: unknown;

  @CreateDateColumn({ name: 'created_datetime', type: 'timestamptz' })
  createdDatetime!: Date;

  @UpdateDateColumn({ name: 'updated_datetime', type: 'timestamptz' })
  updatedDatetime!: Date;

  @Column('smallint', { name: 'status_code' })
  statusCode!: number;

  @Column('real', { name: 'duration_ms' })
  durationMs!: number;
}

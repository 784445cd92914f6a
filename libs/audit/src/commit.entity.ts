import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * What one statement recorded: `count` requests, with their responses, that became visible at once. Together with its
 * writer, `seq` is the order in which the record is read (`readCommits`).
 */
@Entity('commits')
export class Commit {
  /** The row in `writers`. */
  @PrimaryColumn('integer', { primaryKeyConstraintName: 'commits_pkey' })
  writer!: number;

  /** 1, 2, 3 … without a gap, for each writer. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'commits_pkey' })
  seq!: string;

  @Column('integer')
  count!: number;

  /** Between these two are the ids of its requests, and of others. */
  @Column('bigint', { name: 'first_id' })
  firstId!: string;

  @Column('bigint', { name: 'last_id' })
  lastId!: string;

  /** The `created_datetime` of its requests. */
  @PrimaryColumn('timestamptz', {
    name: 'committed_datetime',
    default: () => 'now()',
    primaryKeyConstraintName: 'commits_pkey',
  })
  committedDatetime!: Date;
}

import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a process answers with for one alias of one model, or why it cannot. */
export interface Served {
  /** The row of `model_aliases` that the process follows. */
  aliasId: string;
  name: string;
  alias: string;
  /** The version that answers; null if none could be loaded yet. */
  version: string | null;
  /** What became of the version that the alias stands for, if that is another. */
  failure: { version: string; reason: string } | null;
}

/** A process that serves predictions, and what it serves. A process that has not reported for a while has ended. */
@Entity('serving_processes')
export class ServingProcess {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'serving_processes_pkey' })
  id!: string;

  @Column('text')
  host!: string;

  @Column('integer')
  pid!: number;

  @Column('jsonb')
  serving!: Served[];

  @Column('timestamptz', { name: 'seen_datetime', default: () => 'now()' })
  seenDatetime!: Date;
}

import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';

/** The lease of a process to write commits. It ends with the connection that it was taken on. */
@Entity('writers')
@Unique('writers_uuid_key', ['uuid'])
export class Writer {
  @PrimaryGeneratedColumn('identity', {
    type: 'integer',
    generatedIdentity: 'BY DEFAULT',
    primaryKeyConstraintName: 'writers_pkey',
  })
  id!: number;

  @Column('uuid')
  uuid!: string;

  /** `host:pid` */
  @Column('text')
  process!: string;

  /** The server's process behind the connection. */
  @Column('integer', { name: 'backend_pid' })
  backendPid!: number;

  @Column('timestamptz', { name: 'backend_start' })
  backendStart!: Date;

  @Column('timestamptz', { name: 'started_datetime', default: () => 'now()' })
  startedDatetime!: Date;

  /** Of its last commit, 0 if there was none; null while it may still write. */
  @Column('bigint', { name: 'last_seq', nullable: true })
  lastSeq!: string | null;
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateBatches1763600600000 implements MigrationInterface {
  name = 'CreateBatches1763600600000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE batches (
        id uuid CONSTRAINT batches_pkey PRIMARY KEY,
        user_id integer NOT NULL CONSTRAINT batches_user_id_fkey REFERENCES users (id),
        -- What was meant when it was sent: a promotion in between changes nothing. No foreign key, because a version
        -- that is removed is what a batch fails with, and not what keeps the version from being removed.
        model text NOT NULL,
        model_version text NOT NULL,
        format text NOT NULL,
        state text NOT NULL DEFAULT 'queued',
        input_bytes bigint NOT NULL,
        input_sha256 text NOT NULL,
        -- Of the input, from 0 to 1: how many rows it has is known when it is read.
        share_done real NOT NULL DEFAULT 0,
        rows bigint NOT NULL DEFAULT 0,
        errors bigint NOT NULL DEFAULT 0,
        rows_per_second real,
        -- How often a worker has begun or gone on with it.
        runs integer NOT NULL DEFAULT 0,
        -- How often in a row a worker died over it that came no further than the one before, and how far that was.
        lost_workers integer NOT NULL DEFAULT 0,
        lost_share real NOT NULL DEFAULT 0,
        failure text,
        output_bytes bigint,
        output_sha256 text,
        created_datetime timestamptz NOT NULL DEFAULT now(),
        started_datetime timestamptz,
        finished_datetime timestamptz,
        -- When the output is deleted, or was; the row stays.
        expires_datetime timestamptz,
        CONSTRAINT batches_format_check CHECK (format IN ('csv', 'tsv', 'jsonl', 'parquet')),
        CONSTRAINT batches_state_check CHECK (
          CASE state
            WHEN 'queued' THEN finished_datetime IS NULL
            WHEN 'running' THEN finished_datetime IS NULL AND started_datetime IS NOT NULL
            WHEN 'succeeded' THEN num_nulls(output_bytes, output_sha256, finished_datetime, expires_datetime) = 0
            WHEN 'failed' THEN failure IS NOT NULL AND finished_datetime IS NOT NULL
            WHEN 'cancelled' THEN finished_datetime IS NOT NULL
            ELSE false
          END
        )
      )`);
    await runner.query(`CREATE INDEX batches_user_id_idx ON batches (user_id, created_datetime, id)`);
    await runner.query(`CREATE INDEX batches_created_datetime_idx ON batches (created_datetime, id)`);
    await runner.query(
      `CREATE INDEX batches_unfinished_idx ON batches (user_id) WHERE finished_datetime IS NULL`,
    );
    await runner.query(`
      DO $$
      BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'foretell_analyst') THEN
          GRANT SELECT ON batches TO foretell_analyst;
        END IF;
      END $$`);

    // The queue's own tables. Where a later pg-boss wants others, it changes them itself when it is first used.
    const { default: PgBoss } = await import('pg-boss');
    const plan = PgBoss.getConstructionPlans('pgboss');
    // Without its own BEGIN and COMMIT, which would end ours.
    await runner.query(plan.replace(/^\s*BEGIN;/, '').replace(/COMMIT;\s*$/, ''));
    await runner.query(`SELECT pgboss.create_queue('batches', '{"policy":"standard"}')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP SCHEMA pgboss CASCADE`);
    await runner.query(`DROP TABLE batches`);
  }
}

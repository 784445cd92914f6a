import type { MigrationInterface, QueryRunner } from 'typeorm';

/** In time by a lease, and in bytes by what was written of its output. */
export class BoundBatches1763601100000 implements MigrationInterface {
  name = 'BoundBatches1763601100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE batches
        ADD COLUMN lease_expires_datetime timestamptz,
        ADD COLUMN written_bytes bigint NOT NULL DEFAULT 0`);
    // A worker that is working on one now knows of no lease, and can neither end it nor take another: see the constraint.
    await runner.query(`UPDATE batches SET lease_expires_datetime = now() WHERE state = 'running'`);
    await runner.query(`
      ALTER TABLE batches ADD CONSTRAINT batches_lease_check
      CHECK ((state = 'running') = (lease_expires_datetime IS NOT NULL))`);
    // For how much a user has on the disk.
    await runner.query(
      `CREATE INDEX batches_kept_idx ON batches (user_id, expires_datetime) WHERE expires_datetime IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX batches_kept_idx`);
    await runner.query(`ALTER TABLE batches DROP CONSTRAINT batches_lease_check`);
    await runner.query(`ALTER TABLE batches DROP COLUMN lease_expires_datetime, DROP COLUMN written_bytes`);
  }
}

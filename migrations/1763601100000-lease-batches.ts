import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LeaseBatches1763601100000 implements MigrationInterface {
  name = 'LeaseBatches1763601100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE batches ADD COLUMN lease_expires_datetime timestamptz`);
    // Whoever works on one now knows of no lease, and can neither end it nor take another: see the constraint.
    await runner.query(`UPDATE batches SET lease_expires_datetime = now() WHERE state = 'running'`);
    await runner.query(`
      ALTER TABLE batches ADD CONSTRAINT batches_lease_check
      CHECK ((state = 'running') = (lease_expires_datetime IS NOT NULL))`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE batches DROP CONSTRAINT batches_lease_check`);
    await runner.query(`ALTER TABLE batches DROP COLUMN lease_expires_datetime`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class RememberChecks1763601200000 implements MigrationInterface {
  name = 'RememberChecks1763601200000';

  async up(runner: QueryRunner): Promise<void> {
    // The release that found a version quick whatever it is asked, in a process of its own: it need not do so again.
    await runner.query(`ALTER TABLE model_versions ADD COLUMN checked_by text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE model_versions DROP COLUMN checked_by`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A record is found by the id that its caller knows. */
export class IndexRequestUuids1763601000000 implements MigrationInterface {
  name = 'IndexRequestUuids1763601000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX requests_request_uuid_idx ON requests (request_uuid)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX requests_request_uuid_idx`);
  }
}

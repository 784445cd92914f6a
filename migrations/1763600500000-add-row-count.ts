import type { MigrationInterface, QueryRunner } from 'typeorm';

export class AddRowCount1763600500000 implements MigrationInterface {
  name = 'AddRowCount1763600500000';

  async up(runner: QueryRunner): Promise<void> {
    // Without a default, so that no row is written again: null says that nobody counted.
    await runner.query(`ALTER TABLE requests ADD COLUMN row_count integer`);
    await runner.query(`
      CREATE OR REPLACE VIEW prediction_log AS
      SELECT requests.id,
             requests.request_uuid,
             requests.user_id,
             users.username,
             requests.model,
             requests.model_version,
             requests.dialect,
             responses.status_code,
             requests.input,
             requests.ignored_columns,
             responses.output,
             requests.created_datetime,
             responses.duration_ms,
             requests.row_count
      FROM requests
      JOIN responses ON responses.request_id = requests.id
      JOIN users ON users.id = requests.user_id`);
  }

  async down(runner: QueryRunner): Promise<void> {
    // A view loses no column without being created anew, and with it what was granted on it.
    await runner.query(`DROP VIEW prediction_log`);
    await runner.query(`
      CREATE VIEW prediction_log AS
      SELECT requests.id,
             requests.request_uuid,
             requests.user_id,
             users.username,
             requests.model,
             requests.model_version,
             requests.dialect,
             responses.status_code,
             requests.input,
             requests.ignored_columns,
             responses.output,
             requests.created_datetime,
             responses.duration_ms
      FROM requests
      JOIN responses ON responses.request_id = requests.id
      JOIN users ON users.id = requests.user_id`);
    await runner.query(`
      DO $$
      BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'foretell_analyst') THEN
          GRANT SELECT ON prediction_log TO foretell_analyst;
        END IF;
      END $$`);
    await runner.query(`ALTER TABLE requests DROP COLUMN row_count`);
  }
}

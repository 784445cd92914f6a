import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreatePredictionLog1763600200000 implements MigrationInterface {
  name = 'CreatePredictionLog1763600200000';

  async up(runner: QueryRunner): Promise<void> {
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

    // Roles belong to the whole server: another database on it may have made this one, or be making it now. A
    // server that does not let us make roles gets the schema all the same; its operator grants by hand.
    await runner.query(`
      DO $$
      BEGIN
        CREATE ROLE foretell_analyst NOLOGIN;
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN RAISE WARNING 'role foretell_analyst could not be made: %', SQLERRM;
      END $$`);
    await runner.query(`
      DO $$
      BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'foretell_analyst') THEN
          GRANT SELECT ON prediction_log, requests, responses TO foretell_analyst;
          GRANT SELECT (id, username, email, role, enabled, created_datetime, updated_datetime, removed_datetime)
            ON users TO foretell_analyst;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP VIEW prediction_log`);
    // The role stays: another database on this server may use it.
    await runner.query(`
      DO $$
      BEGIN
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'foretell_analyst') THEN
          REVOKE ALL ON requests, responses, users FROM foretell_analyst;
        END IF;
      END $$`);
  }
}

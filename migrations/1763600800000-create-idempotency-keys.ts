import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateIdempotencyKeys1763600800000 implements MigrationInterface {
  name = 'CreateIdempotencyKeys1763600800000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE idempotency_keys (
        user_id integer NOT NULL CONSTRAINT idempotency_keys_user_id_fkey REFERENCES users (id),
        key text NOT NULL,
        -- Of the question, so that another one under the same key is noticed.
        fingerprint text NOT NULL,
        -- The row in requests.
        request_id bigint NOT NULL,
        -- As it was sent, to the byte; responses.output has it as jsonb.
        answer text NOT NULL,
        created_datetime timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key)
      )`);
    await runner.query(
      `CREATE INDEX idempotency_keys_created_datetime_idx ON idempotency_keys (created_datetime)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE idempotency_keys`);
  }
}

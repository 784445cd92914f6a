import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Months of the record are made and dropped one at a time, under a lock on the table itself: who may only read cannot
 * take it, as anybody can an advisory lock. It lets everybody else read and write.
 */
export class LockRecordTables1763601010000 implements MigrationInterface {
  name = 'LockRecordTables1763601010000';

  async up(runner: QueryRunner): Promise<void> {
    await replaceFunctions(runner, 'LOCK TABLE requests IN SHARE UPDATE EXCLUSIVE MODE');
  }

  async down(runner: QueryRunner): Promise<void> {
    await replaceFunctions(runner, 'PERFORM pg_advisory_xact_lock(7310005)');
  }
}

async function replaceFunctions(runner: QueryRunner, lock: string): Promise<void> {
  // Made beside the tables and attached: that blocks nobody who writes or reads.
  await runner.query(`
    CREATE OR REPLACE FUNCTION create_record_partitions(first timestamptz, last timestamptz) RETURNS SETOF text
    LANGUAGE plpgsql AS $$
    DECLARE
      month timestamp;
      suffix text;
      bounds text;
      parent text;
      isNew boolean;
    BEGIN
      ${lock};
      FOR month IN
        SELECT generate_series(date_trunc('month', first AT TIME ZONE 'UTC'), last AT TIME ZONE 'UTC', '1 month')
      LOOP
        suffix := to_char(month, '"_"YYYY"_"MM');
        bounds := format('FROM (%L) TO (%L)', month || '+00', month + interval '1 month' || '+00');
        isNew := false;
        FOREACH parent IN ARRAY ARRAY['requests', 'responses', 'shadow_responses'] LOOP
          CONTINUE WHEN to_regclass(parent || suffix) IS NOT NULL;
          EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', parent || suffix, parent);
          EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES %s', parent, parent || suffix, bounds);
          isNew := true;
          RETURN NEXT parent || suffix;
        END LOOP;
        IF isNew THEN
          EXECUTE format(
            'ALTER TABLE %I ADD CONSTRAINT %I FOREIGN KEY (request_id, created_datetime) REFERENCES %I (id, created_datetime)',
            'responses' || suffix, 'responses' || suffix || '_request_fkey', 'requests' || suffix);
        END IF;
      END LOOP;
    END $$`);
  // A partition that is being read for long is dropped another time: writers would wait behind us.
  await runner.query(`
    CREATE OR REPLACE FUNCTION drop_record_partitions(before timestamptz) RETURNS SETOF text
    LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
    DECLARE
      partition record;
    BEGIN
      ${lock};
      FOR partition IN
        SELECT child.relname AS name, parent.name AS parent
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        -- A response goes before the request that it refers to.
        JOIN unnest(ARRAY['shadow_responses', 'responses', 'requests']) WITH ORDINALITY AS parent (name, place)
          ON inhparent = parent.name::regclass
        WHERE to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month' <= before AT TIME ZONE 'UTC'
        ORDER BY right(child.relname, 7), place
      LOOP
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', partition.parent, partition.name);
        EXECUTE format('DROP TABLE %I', partition.name);
        RETURN NEXT partition.name;
      END LOOP;
    END $$`);
}

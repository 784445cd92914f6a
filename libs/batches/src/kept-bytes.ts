/**
 * How much disk space a user's files take, as SQL: for unfinished batches, the file that was sent and the output as far
 * as it was written; for finished ones, the output, for as long as it is kept.
 */
export function keptBytes(which: string): string {
  return `SELECT coalesce(sum(CASE WHEN finished_datetime IS NULL THEN input_bytes + written_bytes ELSE output_bytes END), 0)::float8 AS bytes
          FROM batches AS kept
          WHERE ${which} AND (finished_datetime IS NULL OR expires_datetime > now())`;
}

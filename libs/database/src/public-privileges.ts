/**
 * What PostgreSQL lets every role do by default and a read-only role must not do: take advisory locks, on
 * which others would wait, write large objects, and make temporary tables. All of these affect everyone
 * else, on the server's disk or in its locks.
 */
interface Queryable {
  query(text: string): Promise<{ rows: unknown[] }>;
}

const FUNCTIONS = `
  SELECT oid, oid::regprocedure::text AS signature FROM pg_proc
  WHERE pronamespace = 'pg_catalog'::regnamespace
    AND (proname ~ '^pg_(try_)?advisory_' OR proname ~ '^lo_' OR proname IN ('lowrite', 'loread'))`;

/** Run as a superuser, in the database concerned; the owner of the database keeps these rights. */
export async function restrictPublic(superuser: Queryable, owner: string): Promise<void> {
  for (const statement of await restrictions(superuser, owner)) await superuser.query(statement);
}

/** The statements that revoke what PUBLIC may still do; none if it may do none of it. */
export async function restrictions(client: Queryable, owner: string): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT signature FROM (${FUNCTIONS}) AS functions
     WHERE EXISTS (
       SELECT FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS granted
       WHERE pg_proc.oid = functions.oid AND granted.grantee = 0)
     ORDER BY signature`,
  );
  const functions = (rows as { signature: string }[]).map(({ signature }) => signature);
  if (functions.length === 0) return [];
  return [
    `REVOKE EXECUTE ON FUNCTION ${functions.join(', ')} FROM PUBLIC`,
    `GRANT EXECUTE ON FUNCTION ${functions.join(', ')} TO ${owner}`,
  ];
}

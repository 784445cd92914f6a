import pg from 'pg';
import type { Connection } from './connection.js';
import { restrictPublic } from './public-privileges.js';

export const DATABASE = 'foretell';
/** Owns the database, and may make roles for analysts; not a superuser. The service connects as this role. */
export const OWNER = 'foretell';
export const SUPERUSER = 'postgres';

export type Passwords = Readonly<Record<'owner' | 'superuser', string>>;

/** One at a time, if several processes open the same folder. */
const PREPARING = 7_310_004;

type Connect = (database: string, user?: string, password?: string) => Promise<Connection>;

/** Makes the owner and its database if they are missing. `keeper` is the superuser's, in the database `postgres`. */
export async function prepareRoles(
  keeper: Connection,
  connect: Connect,
  { owner: password }: Passwords,
): Promise<void> {
  await keeper.query('SELECT pg_advisory_lock($1)', [PREPARING]);
  try {
    // Looked up first: a failed statement appears in the server's log, with the password.
    if (!(await exists(keeper, 'pg_roles', 'rolname', OWNER))) await createOwner(keeper, password);
    if (await exists(keeper, 'pg_database', 'datname', DATABASE)) return;
    await keeper.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER}`);
    await within(connect(DATABASE), restrictEverybody);
  } finally {
    await keeper.query('SELECT pg_advisory_unlock($1)', [PREPARING]);
  }
}

/**
 * For a folder of a release whose only role was `foretell`, the cluster's own superuser, which stays one: it gets
 * the superuser's name, and a new role gets its old name, its password, and all that it owned.
 */
export async function upgradeRoles(connect: Connect, { owner, superuser }: Passwords): Promise<void> {
  await within(connect('postgres', OWNER, owner), async (former) => {
    await former.query('SELECT pg_advisory_lock($1)', [PREPARING]);
    // Another process may have done it while we waited.
    if (await exists(former, 'pg_roles', 'rolname', SUPERUSER)) return;
    if (!(await exists(former, 'pg_database', 'datname', DATABASE)))
      await former.query(`CREATE DATABASE ${DATABASE}`);
    // A role cannot rename itself.
    await former.query('DROP ROLE IF EXISTS foretell_upgrade');
    await former.query(
      `CREATE ROLE foretell_upgrade SUPERUSER LOGIN PASSWORD ${pg.escapeLiteral(superuser)}`,
    );
    await within(connect(DATABASE, 'foretell_upgrade', superuser), async (upgrade) => {
      await upgrade.query('BEGIN');
      await upgrade.query(`ALTER ROLE ${OWNER} RENAME TO ${SUPERUSER}`);
      await upgrade.query(`ALTER ROLE ${SUPERUSER} PASSWORD ${pg.escapeLiteral(superuser)}`);
      await createOwner(upgrade, owner);
      await upgrade.query(`ALTER DATABASE ${DATABASE} OWNER TO ${OWNER}`);
      await upgrade.query(HAND_OVER);
      if (await exists(upgrade, 'pg_roles', 'rolname', 'foretell_analyst'))
        await upgrade.query(`GRANT foretell_analyst TO ${OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET TRUE`);
      await restrictEverybody(upgrade);
      await upgrade.query('COMMIT');
    });
    await former.query('DROP ROLE foretell_upgrade');
  });
}

/** It may act as the roles that it makes (SET ROLE), without having their rights. */
async function createOwner(superuser: Connection, password: string): Promise<void> {
  await superuser.query(`CREATE ROLE ${OWNER} LOGIN CREATEROLE PASSWORD ${pg.escapeLiteral(password)}`);
  await superuser.query(`ALTER ROLE ${OWNER} SET createrole_self_grant = 'set'`);
}

/** Advisory locks in the database `postgres` show who uses the server; in ours, read-only roles must not take any. */
async function restrictEverybody(superuser: Connection): Promise<void> {
  await superuser.query(`REVOKE CONNECT ON DATABASE ${SUPERUSER}, template1 FROM PUBLIC`);
  await superuser.query(`REVOKE TEMPORARY ON DATABASE ${DATABASE} FROM PUBLIC`);
  await restrictPublic(superuser, OWNER);
}

async function exists(client: Connection, table: string, column: string, name: string): Promise<boolean> {
  return (await client.query(`SELECT FROM ${table} WHERE ${column} = $1`, [name])).rowCount !== 0;
}

async function within(
  connected: Promise<Connection>,
  work: (client: Connection) => Promise<void>,
): Promise<void> {
  const client = await connected;
  await work(client).finally(() => client.end());
}

/** Everything that belongs to a table (its indexes, the sequences of its columns) goes with it. */
const HAND_OVER = `
  DO $$
  DECLARE
    thing text;
  BEGIN
    FOR thing IN
      WITH schema AS (
        SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      )
      SELECT format('SCHEMA %I', nspname) FROM schema WHERE nspowner = '${SUPERUSER}'::regrole
      UNION ALL
      SELECT format('%s %s', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, pg_class.oid::regclass)
      FROM pg_class JOIN schema ON schema.oid = relnamespace
      WHERE relowner = '${SUPERUSER}'::regrole AND relkind IN ('r', 'p', 'v', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND relkind = 'S' AND deptype IN ('a', 'i'))
      UNION ALL
      SELECT format('ROUTINE %s', pg_proc.oid::regprocedure)
      FROM pg_proc JOIN schema ON schema.oid = pronamespace WHERE proowner = '${SUPERUSER}'::regrole
      UNION ALL
      SELECT format('TYPE %s', pg_type.oid::regtype)
      FROM pg_type JOIN schema ON schema.oid = typnamespace
      WHERE typowner = '${SUPERUSER}'::regrole AND typtype = 'e'
    LOOP
      EXECUTE format('ALTER %s OWNER TO ${OWNER}', thing);
    END LOOP;
  END $$`;

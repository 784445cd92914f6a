import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import { restrictions } from '#libs/database';
import pg from 'pg';
import { DataSource } from 'typeorm';

const ROLE = 'foretell_analyst';

/** What analysts may read; of accounts, everything except the password. Tables of other features by their names. */
const TABLES = [
  'prediction_log',
  'requests',
  'responses',
  'shadow_responses',
  'commits',
  'writers',
  'model_versions',
  'model_aliases',
  'batches',
];
const USER_COLUMNS = [
  'id',
  'username',
  'email',
  'role',
  'enabled',
  'created_datetime',
  'updated_datetime',
  'removed_datetime',
];

/** A forgotten session, or a query that never ends, does not block others forever. */
const SETTINGS = {
  statement_timeout: '30min',
  lock_timeout: '10s',
  idle_in_transaction_session_timeout: '5min',
};
const MAX_CONNECTIONS = 10;

/** Users who read the record in SQL: roles of PostgreSQL's own, members of one role that may read. */
@Injectable()
export class Analysts {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Grants what our own role can grant.
   * @returns the statements that are still to be run, by a role with more rights; none if all is well
   */
  async prepare(): Promise<string[]> {
    if (!(await this.hasRole()))
      return [`CREATE ROLE ${ROLE} NOLOGIN`, ...this.grants(), ...(await this.restrictions())];
    for (const grant of this.grants()) await this.dataSource.query(grant);
    const restrictions = await this.restrictions();
    const [{ isSuperuser }] = await this.dataSource.query<[{ isSuperuser: boolean }]>(
      `SELECT rolsuper AS "isSuperuser" FROM pg_roles WHERE rolname = current_user`,
    );
    if (!isSuperuser) return restrictions;
    for (const restriction of restrictions) await this.dataSource.query(restriction);
    return [];
  }

  /** Logins that may read, by name. */
  async list(): Promise<string[]> {
    const rows = await this.dataSource.query<{ name: string }[]>(
      `SELECT member.rolname AS name FROM pg_auth_members
       JOIN pg_roles AS role ON role.oid = roleid JOIN pg_roles AS member ON member.oid = member
       WHERE role.rolname = $1 AND member.rolcanlogin AND member.rolname <> current_user ORDER BY 1`,
      [ROLE],
    );
    return rows.map(({ name }) => name);
  }

  /** Makes a login that may read. @throws Problem `bad-request`; Error if there is such a role */
  async create(name: string, password: string): Promise<void> {
    checkName(name);
    await this.requireRole();
    if (password === '') throw Problem.badRequest('The password must not be empty.');
    const settings = Object.entries(SETTINGS).map(
      ([setting, value]) => `ALTER ROLE ${pg.escapeIdentifier(name)} SET ${setting} = '${value}'`,
    );
    await this.dataSource.transaction(async (manager) => {
      await manager.query(
        `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN CONNECTION LIMIT ${MAX_CONNECTIONS}
         PASSWORD '${scramVerifier(password)}' IN ROLE ${ROLE}`,
      );
      for (const setting of settings) await manager.query(setting);
    });
  }

  /** Lets an existing login read. */
  async grant(name: string): Promise<void> {
    checkName(name);
    await this.requireRole();
    await this.dataSource.query(`GRANT ${ROLE} TO ${pg.escapeIdentifier(name)}`);
  }

  /** It may no longer read, from its next statement on; the login stays. */
  async revoke(name: string): Promise<void> {
    checkName(name);
    await this.dataSource.query(`REVOKE ${ROLE} FROM ${pg.escapeIdentifier(name)}`);
  }

  private grants(): string[] {
    return [
      `GRANT SELECT ON ${TABLES.join(', ')} TO ${ROLE}`,
      `GRANT SELECT (${USER_COLUMNS.join(', ')}) ON users TO ${ROLE}`,
    ];
  }

  private async restrictions(): Promise<string[]> {
    const [{ owner }] = await this.dataSource.query<[{ owner: string }]>(
      `SELECT quote_ident(current_user) AS owner`,
    );
    const queryable = {
      query: async (text: string) => ({ rows: await this.dataSource.query<unknown[]>(text) }),
    };
    return restrictions(queryable, owner);
  }

  private async hasRole(): Promise<boolean> {
    const rows = await this.dataSource.query<unknown[]>(`SELECT FROM pg_roles WHERE rolname = $1`, [ROLE]);
    return rows.length > 0;
  }

  private async requireRole(): Promise<void> {
    if (await this.hasRole()) return;
    throw Problem.badRequest(`There is no role ${ROLE} yet. "foretell migrate" says how to create it.`);
  }
}

/** Names that need no quotes, so that people and psql mean the same by them. */
function checkName(name: string): void {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(name) && !name.startsWith('pg_') && !name.startsWith('foretell')) return;
  throw Problem.badRequest(
    'The name of an analyst is a PostgreSQL name: at most 63 lower-case letters, digits and underscores, and not ' +
      'one that begins with pg_ or foretell.',
  );
}

/**
 * What PostgreSQL stores for a password (RFC 5803). It is made here, because a statement with the password itself would
 * appear in the log of a server that logs statements.
 */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}

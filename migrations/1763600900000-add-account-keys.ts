import type { MigrationInterface, QueryRunner } from 'typeorm';
import { PrecisError, usernameCaseMapped } from '#libs/precis';

interface NamedUser {
  id: number;
  username: string;
}

/** The limit when this was written; `libs/users` has the current one. */
const MAX_USERNAME_LENGTH = 64;
const MAX_NOTED_IDS = 100;

export class AddAccountKeys1763600900000 implements MigrationInterface {
  name = 'AddAccountKeys1763600900000';
  /** For the operator. */
  readonly notes: string[] = [];

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE users
        ADD COLUMN username_key text,
        ADD COLUMN account_uuid uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD COLUMN epoch integer NOT NULL DEFAULT 1`);
    // From now on the trigger below fills it in.
    await runner.query(`ALTER TABLE users ALTER COLUMN account_uuid DROP DEFAULT`);

    const users = (await runner.query(
      `SELECT id, username FROM users WHERE username IS NOT NULL ORDER BY id`,
    )) as NamedUser[];
    const keys = chooseKeys(users);
    await runner.query(
      `UPDATE users SET username_key = chosen.key
       FROM unnest($1::integer[], $2::text[]) AS chosen(id, key) WHERE chosen.id = users.id`,
      [[...keys.keys()], [...keys.values()]],
    );
    this.noteOldNames(users, keys);

    await runner.query(`CREATE UNIQUE INDEX users_username_key_key ON users (username_key)`);
    await runner.query(`DROP INDEX users_username_key`);
    await runner.query(`
      ALTER TABLE users
        DROP CONSTRAINT users_removed_check,
        ADD CONSTRAINT users_removed_check CHECK (
          CASE WHEN removed_datetime IS NULL
            THEN num_nulls(username, username_key, password, email) = 0
            ELSE num_nonnulls(username, username_key, password, email) = 0 AND NOT enabled
          END
        )`);

    // In a trigger, so that it also holds for changes by hand in psql.
    await runner.query(`
      CREATE FUNCTION keep_account() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.account_uuid := coalesce(NEW.account_uuid, gen_random_uuid());
        -- A name that is set without a key gets one by the old rule.
        IF NEW.username IS NULL THEN
          NEW.username_key := NULL;
        ELSIF NEW.username_key IS NULL THEN
          NEW.username_key := lower(NEW.username);
        END IF;
        IF TG_OP = 'UPDATE' THEN
          IF NEW.username <> OLD.username AND NEW.username_key = OLD.username_key THEN
            NEW.username_key := lower(NEW.username);
          END IF;
          -- Ends all tokens that were issued before.
          IF NEW.password IS DISTINCT FROM OLD.password OR (OLD.enabled AND NOT NEW.enabled) THEN
            NEW.epoch := OLD.epoch + 1;
          END IF;
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER users_kept BEFORE INSERT OR UPDATE ON users
      FOR EACH ROW EXECUTE FUNCTION keep_account()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER users_kept ON users`);
    await runner.query(`DROP FUNCTION keep_account()`);
    await runner.query(`
      ALTER TABLE users
        DROP CONSTRAINT users_removed_check,
        ADD CONSTRAINT users_removed_check CHECK (
          CASE WHEN removed_datetime IS NULL
            THEN num_nulls(username, password, email) = 0
            ELSE num_nonnulls(username, password, email) = 0 AND NOT enabled
          END
        )`);
    await runner.query(`CREATE UNIQUE INDEX users_username_key ON users (lower(username))`);
    await runner.query(
      `ALTER TABLE users DROP COLUMN username_key, DROP COLUMN account_uuid, DROP COLUMN epoch`,
    );
  }

  private noteOldNames(users: NamedUser[], keys: ReadonlyMap<number, string>): void {
    const old = users.filter(({ id, username }) => keysOf(username).precis !== keys.get(id));
    if (old.length === 0) return;
    const shown = old.slice(0, MAX_NOTED_IDS).map(({ id }) => id);
    this.notes.push(
      `${old.length} of ${users.length} usernames would be refused of a new user by today's rule (RFC 8265), or would be ` +
        `the name of another. Their users log in as before. Ids: ${shown.join(', ')}${old.length > shown.length ? ', …' : ''}`,
    );
  }
}

/**
 * Gives every user the first of these keys that is still free: the key of PRECIS; the name in lower case, by which the
 * user was found until now; the name itself. Users whose name is already a key of PRECIS choose first, then those whose
 * name is in lower case, then by id. One key is then always free: a user's own name can only be taken by somebody whose
 * key of PRECIS or lower-case name it is, and then this user has chosen before.
 */
function chooseKeys(users: NamedUser[]): Map<number, string> {
  const taken = new Set<string>();
  const chosen = new Map<number, string>();
  const choices = users.map(({ id, username }) => ({ id, ...keysOf(username) }));
  for (const { id, choice } of choices.toSorted((one, other) => one.rank - other.rank || one.id - other.id)) {
    const key = choice.find((each) => !taken.has(each))!;
    taken.add(key);
    chosen.set(id, key);
  }
  return chosen;
}

function keysOf(username: string): { precis: string | undefined; choice: string[]; rank: number } {
  const precis = precisKeyOf(username);
  const lower = username.normalize('NFC').toLowerCase().normalize('NFC');
  return {
    precis,
    choice: [precis, lower, username].filter((key) => key !== undefined),
    rank: username === precis ? 0 : username === lower ? 1 : 2,
  };
}

function precisKeyOf(username: string): string | undefined {
  try {
    const key = usernameCaseMapped(username);
    return [...key].length > MAX_USERNAME_LENGTH ? undefined : key;
  } catch (error) {
    if (error instanceof PrecisError) return undefined;
    throw error;
  }
}

import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, PATIENT, somebody } from '../support/client.js';
import { COMMAND_LINE, DataDir, type Ending, type Service } from '../support/data-dir.js';
import { logIn, predict } from '../support/prediction-client.js';
import { createDataDir, createPreparedDataDir } from '../support/test-data-dir.js';
import { createTestDatabase } from '../support/test-database.js';

type Person = ReturnType<typeof somebody>;

/** `foretell users …`; it must succeed and show no password. */
async function users(dataDir: DataDir, args: string[], input?: string): Promise<string> {
  const ending = await dataDir.foretell(['users', ...args], { input });
  expect(ending, ending.stderr).toMatchObject({ code: 0, stderr: '' });
  expect(ending.stdout).not.toContain(input?.trim() ?? '$2b$');
  return ending.stdout;
}

function create(dataDir: DataDir, { username, email, password }: Person, ...args: string[]): Promise<string> {
  return users(dataDir, ['create', '--username', username, '--email', email, ...args], `${password}\n`);
}

/** The stored user, with the kind of hash in place of the hash. */
async function stored(dataDir: DataDir, { username }: Person) {
  const rows = await dataDir.query(
    `SELECT id, email, role, enabled, left(password, 7) AS hash FROM users WHERE username = $1`,
    [username],
  );
  return rows[0];
}

describe('with no service running', () => {
  test('a user is created, changed and listed; nothing is left running after any of it', async () => {
    const dataDir = await createPreparedDataDir();
    const ada = somebody();
    expect(await create(dataDir, ada, '--role', 'analyst')).toBe(
      `Created analyst ${ada.username} with id 1.\n`,
    );
    expect(await dataDir.processes()).toEqual([]);
    expect(await stored(dataDir, ada)).toEqual({
      id: 1,
      email: ada.email,
      role: 'analyst',
      enabled: true,
      hash: '$2b$04$',
    });

    // By any case of the name, as at the login.
    const done = await users(dataDir, [
      'set-role',
      '--username',
      ada.username.toUpperCase(),
      '--role',
      'admin',
    ]);
    expect(done).toBe(`${ada.username.toUpperCase()} was made admin.\n`);
    expect(await users(dataDir, ['list'])).toMatch(new RegExp(`${ada.username}.*${ada.email}.*admin.*true`));
    expect(await dataDir.processes()).toEqual([]);
  });

  test('two that create a user at the same time both succeed', async () => {
    const dataDir = await createPreparedDataDir();
    const both = [somebody(), somebody()];
    const created = await Promise.all(both.map((each) => create(dataDir, each)));
    expect(created.map((line) => /id (\d)/.exec(line)?.[1]).toSorted()).toEqual(['1', '2']);
    expect(await dataDir.processes()).toEqual([]);
    for (const each of both) expect(await stored(dataDir, each)).toMatchObject({ email: each.email });
  });
});

describe('while a service holds the database', () => {
  let dataDir: DataDir;
  let service: Service;

  beforeAll(async () => {
    dataDir = DataDir.create();
    service = await dataDir.startService();
  });

  afterAll(() => dataDir?.dispose());

  /** The status that the service answers a prediction with. */
  const statusFor = async (token: string) =>
    (await call(service, 'POST', '/predict', { body: PATIENT, token })).status;

  test('it knows a created user at once, and one that is disabled or enabled within a second', async () => {
    const ada = somebody();
    await create(dataDir, ada);
    const token = await logIn(service, ada);
    await predict(service, token);

    await users(dataDir, ['disable', '--username', ada.username]);
    await expect.poll(() => statusFor(token), { timeout: 1_000 }).toBe(401);
    expect((await call(service, 'POST', '/token', { body: ada })).status).toBe(401);

    await users(dataDir, ['enable', '--username', ada.username]);
    const renewed = await logIn(service, ada);
    await expect.poll(() => statusFor(renewed), { timeout: 1_000 }).toBe(200);
    expect(await statusFor(token)).toBe(401);
  });

  test('it knows a changed role and password', async () => {
    const ada = somebody();
    await create(dataDir, ada);
    const token = await logIn(service, ada);
    const log = async () => (await call(service, 'GET', '/audit/predictions', { token })).status;
    expect(await log()).toBe(403);
    await users(dataDir, ['set-role', '--username', ada.username, '--role', 'analyst']);
    await expect.poll(log, { timeout: 1_000 }).toBe(200);

    const renewed = { ...ada, password: 'another password' };
    const done = await users(dataDir, ['set-password', '--username', ada.username], `${renewed.password}\n`);
    expect(done).toBe(`${ada.username} was given a new password.\n`);
    expect(await statusFor(await logIn(service, renewed))).toBe(200);
    expect((await call(service, 'POST', '/token', { body: ada })).status).toBe(401);
    await expect.poll(() => statusFor(token), { timeout: 1_000 }).toBe(401);
  });

  test('the first line of standard input is the password, even if it stays open', async () => {
    const ada = somebody();
    const args = ['users', 'create', '--username', ada.username, '--email', ada.email];
    const command = dataDir.spawnForetell(args);
    command.process.stdin!.write(`${ada.password}\r\nand a second line\n`);
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' });
    await logIn(service, ada);
  });

  describe.skipIf(!existsSync('/usr/bin/script'))('on a terminal (of `script`, util-linux)', () => {
    /** Runs `users create` and types what is given at the two prompts. */
    async function createOnTerminal({ username, email }: Person, typed: [string, string]): Promise<Ending> {
      const args = ['users', 'create', '--username', username, '--email', email];
      const command = [process.execPath, COMMAND_LINE, ...args].join(' ');
      const terminal = dataDir.spawn('script', ['--quiet', '--return', '--command', command, '/dev/null']);
      for (const [index, prompt] of ['Password: ', 'Again: '].entries()) {
        // Not before the prompt: until then the terminal itself would echo it.
        await expect.poll(() => terminal.output(), { timeout: 30_000 }).toContain(prompt);
        terminal.process.stdin!.write(`${typed[index]}\r`);
      }
      return terminal.ended;
    }

    test('the password is asked twice and is not shown', async () => {
      const ada = somebody();
      const ending = await createOnTerminal(ada, [ada.password, ada.password]);
      expect(ending.code, ending.stdout).toBe(0);
      expect(ending.stdout).toMatch(new RegExp(`Created user ${ada.username} with id \\d+\\.`));
      expect(ending.stdout).not.toMatch(/secret/);
      await logIn(service, ada);
    });

    test('two passwords that differ are refused', async () => {
      const ada = somebody();
      const ending = await createOnTerminal(ada, [ada.password, `${ada.password}?`]);
      expect(ending).toMatchObject({ code: 1, stdout: expect.stringContaining('not the same') });
      expect(await stored(dataDir, ada)).toBeUndefined();
    });
  });

  test('a name that is taken, whatever its case, ends with 1 and a line that says so', async () => {
    const ada = somebody();
    await create(dataDir, ada);
    const args = ['--username', ada.username.toUpperCase(), '--email', ada.email];
    const ending = await dataDir.foretell(['users', 'create', ...args], { input: 'a password\n' });
    expect(ending).toMatchObject({ code: 1, stdout: '' });
    expect(ending.stderr).toBe('User already exists: This username is taken. Please choose another.\n');
  });

  test('a change to a user who is not there ends with 1 and a line that says so', async () => {
    const { username } = somebody();
    const ending = await dataDir.foretell(['users', 'disable', '--username', username]);
    expect(ending).toMatchObject({ code: 1, stdout: '', stderr: `There is no user ${username}.\n` });
  });

  test('without a password it ends with 1 and creates no user', async () => {
    const ada = somebody();
    const args = ['--username', ada.username, '--email', ada.email];
    const ending = await dataDir.foretell(['users', 'create', ...args]);
    expect(ending).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^No password on standard input/),
    });
    expect(await stored(dataDir, ada)).toBeUndefined();
  });
});

describe('wrong arguments end with 2, name the right ones, and open no database', () => {
  let dataDir: DataDir;

  beforeAll(() => {
    dataDir = DataDir.create();
  });

  afterAll(() => dataDir?.dispose());

  async function refused(args: string[]): Promise<Ending> {
    const ending = await dataDir.foretell(args, { input: 'a password\n' });
    expect(ending.code, ending.stdout + ending.stderr).toBe(2);
    expect(ending.stderr).toContain('Usage: foretell');
    expect(existsSync(dataDir.path)).toBe(false);
    return ending;
  }

  const CREATE = ['users', 'create', '--username', 'ada', '--email', 'ada@example.org'];

  test.each<[string, string[], string]>([
    ['an unknown subcommand', ['users', 'delete'], 'unknown command'],
    ['an unknown role', [...CREATE, '--role', 'root'], 'user, analyst, admin'],
    ['a password as an option', [...CREATE, '--password', 'hunter2'], 'unknown option'],
    ['an invalid name', [...CREATE, '--username', 'ada lovelace'], 'must not contain U+0020'],
    ['a name that is too long', [...CREATE, '--username', 'a'.repeat(65)], 'at most 64 characters'],
    ['an invalid address', [...CREATE, '--email', 'ada'], 'must be an email address'],
  ])('%s', async (_, args, reason) => {
    expect((await refused(args)).stderr).toContain(reason);
  });

  test('a password as an argument is refused, too, and not shown', async () => {
    expect((await refused([...CREATE, 'hunter2'])).stderr).not.toContain('hunter2');
  });
});

describe('migrate', () => {
  test('creates the schema on an empty database, and says the second time that there is nothing to do', async () => {
    const dataDir = createDataDir();
    const database = await createTestDatabase({ empty: true });
    const migrate = () => dataDir.foretell(['migrate'], { environment: { DATABASE_URL: database.url } });

    expect(await migrate()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Migrated: CreateUsers\d+, /),
    });
    expect(await database.query('SELECT count(*)::int FROM users')).toEqual([{ count: 0 }]);
    expect(await migrate()).toMatchObject({ code: 0, stdout: 'The schema is up to date.\n' });
    expect(existsSync(dataDir.path)).toBe(false);
  });

  test('two at the same time wait for each other', async () => {
    const dataDir = createDataDir();
    const database = await createTestDatabase({ empty: true });
    const endings = await Promise.all(
      [1, 2].map(() => dataDir.foretell(['migrate'], { environment: { DATABASE_URL: database.url } })),
    );
    expect(endings.map(({ code, stdout }) => `${code} ${stdout.split(':')[0]!.trim()}`).toSorted()).toEqual([
      '0 Migrated',
      '0 The schema is up to date.',
    ]);
  });
});

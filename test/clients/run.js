/**
 * `npm run test:clients`: the clients that people already have, against the built service. It installs them from PyPI
 * into a folder of its own, starts the service with a database of its own, runs the suite, and leaves nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const api = fileURLToPath(new URL('../../dist/apps/api/src/main.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'foretell-clients-'));
const python = join(folder, 'venv/bin/python');

let service;
try {
  await run('python3', ['-m', 'venv', join(folder, 'venv')]);
  await run(python, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    `${here}requirements.txt`,
  ]);
  service = spawn(process.execPath, [api], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      LOG_LEVEL: 'warn',
      BCRYPT_COST: '4',
      DATA_DIR: join(folder, 'data'),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [{ url }] = await Promise.race([
    once(service, 'message'),
    once(service, 'exit').then(([code]) => Promise.reject(new Error(`The service ended with code ${code}.`))),
  ]);
  const user = { username: 'clients', password: 'a password of this suite', email: 'clients@example.org' };
  await post(url, '/register-user', user);
  const { token } = await post(url, '/token', user);
  const suite = ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', ...process.argv.slice(2), here];
  await run(python, suite, { FORETELL_URL: url, FORETELL_TOKEN: token, PYTHONDONTWRITEBYTECODE: '1' });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  if (service && service.exitCode === null) {
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

async function run(program, args, environment = {}) {
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with code ${code}.`);
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

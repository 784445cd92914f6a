import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { DataSource } from 'typeorm';
import { UsersService } from '#libs/users';
import { withFeatures } from './command-context.js';
import { startApi } from './api-process.js';
import { withDatabase } from './with-database.js';

/** The patient of the tutorial whose client uses the plain dialect. */
const PATIENT = {
  age: 25,
  creatinine_phosphokinase: 1000,
  ejection_fraction: 35,
  platelets: 500000,
  serum_creatinine: 8,
  serum_sodium: 135,
  sex: 1,
  high_blood_pressure: 0,
};

/** Three more patients, as a file. */
const PATIENTS = [
  Object.keys(PATIENT).join(','),
  Object.values(PATIENT).join(','),
  Object.values({ ...PATIENT, sex: 0 }).join(','),
  '75,582,20,265000,1.9,130,1,1',
].join('\n');

/** Everything Foretell is for, once, over HTTP, on the configured or embedded database; then everything is stopped. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('show everything once: register, get a token, predict, find the record')
    .action(run);
}

async function run(): Promise<void> {
  // Unique names for each run, so that it can be repeated on any database.
  const suffix = randomBytes(3).toString('hex');
  const user = { username: `ada-${suffix}`, password: secret(), email: `ada-${suffix}@example.org` };
  const admin = { username: `admin-${suffix}`, password: secret(), email: `admin-${suffix}@example.org` };

  const api = await startApi({ LOG_LEVEL: 'error', REGISTRATION: 'open' });
  try {
    const call = caller(api.url);
    heading('Register a user, and the same name again');
    const registered = await call(201, 'POST', '/register-user', user);
    await call(409, 'POST', '/register-user', user);

    heading('Fetch a token');
    const token = await fetchToken(call, user);

    heading('Predict');
    await call(200, 'POST', '/predict', PATIENT, token);

    heading('A column that is not a number, and one that is missing: both are named, and recorded');
    const { sex: _, ...withoutSex } = PATIENT;
    await call(400, 'POST', '/predict', { ...withoutSex, age: 'young' }, token);

    heading('Many at once: a file is sent, scored by a worker, and fetched');
    await scoreFile(api.url, call, token);

    heading('An admin disables the user; the token is refused from the next request on');
    console.log(
      `$ npm run foretell -- users create --username ${admin.username} --email ${admin.email} --role admin`,
    );
    const adminId = await withFeatures((features) =>
      features.get(UsersService).register({ ...admin, role: 'admin' }),
    );
    console.log(`Created admin ${admin.username} with id ${adminId.id}.\n`);
    const adminToken = await fetchToken(call, admin);
    await call(200, 'PUT', `/toggle-user-permission/${registered.user_id}/0`, undefined, adminToken);
    await call(401, 'POST', '/predict', PATIENT, token);

    heading('What stands in the database, as the role foretell_analyst sees it');
    await withDatabase(({ dataSource }) => printTables(Number(registered.user_id), dataSource));

    heading('Remove the user: the person is erased, the recorded predictions stay');
    await call(200, 'DELETE', `/remove-user/${registered.user_id}`, undefined, adminToken);

    heading('The admin is erased in the database, because the API keeps the last admin');
    await withDatabase(({ dataSource }) => dataSource.query('DELETE FROM users WHERE id = $1', [adminId.id]));
    console.log(`DELETE FROM users WHERE id = ${adminId.id};\n`);
  } finally {
    await api.stop();
  }
  console.log('Done. Everything that was started has been stopped.');
}

type Call = (
  expected: number,
  method: string,
  path: string,
  body?: object | string,
  token?: string,
) => Promise<Record<string, string>>;

/** Calls the API and prints request and answer, with secrets abbreviated; another status is a failure. */
function caller(url: string): Call {
  return async (expected, method, path, body, token) => {
    console.log(`> ${method} ${path}`);
    if (token) console.log(`> Authorization: Bearer ${token.slice(0, 12)}…`);
    if (typeof body === 'string') console.log(`> Content-Type: text/csv\n${body}`);
    else if (body)
      console.log(JSON.stringify(body, (key, value: unknown) => (key === 'password' ? '…' : value)));
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(body && { 'content-type': typeof body === 'string' ? 'text/csv' : 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: typeof body === 'string' ? body : body && JSON.stringify(body),
    });
    const text = await response.text();
    console.log(`< ${response.status} ${response.statusText}`);
    console.log(text.replace(/("token":".{12})[^"]*/, '$1…') + '\n');
    if (response.status !== expected) throw new Error(`${method} ${path} should have answered ${expected}.`);
    return (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, string>;
  };
}

async function scoreFile(url: string, call: Call, token: string): Promise<void> {
  const { id } = await call(202, 'POST', '/batches?model=heart-failure', PATIENTS, token);
  const state = async () => {
    const answer = await fetch(`${url}/batches/${id}`, { headers: { authorization: `Bearer ${token}` } });
    return ((await answer.json()) as { state: string }).state;
  };
  while (['queued', 'running'].includes(await state())) await sleep(100);
  await call(200, 'GET', `/batches/${id}`, undefined, token);
  await call(200, 'GET', `/batches/${id}/output`, undefined, token);
}

async function fetchToken(call: Call, user: { username: string; password: string }): Promise<string> {
  const { token } = await call(200, 'POST', '/token', { username: user.username, password: user.password });
  return token!;
}

async function printTables(userId: number, dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  const print = async (sql: string) => {
    console.log(`${sql.replace('$1', String(userId))};`);
    console.table(((await runner.query(sql, [userId])) as object[]).map(oneLine));
  };
  try {
    await runner.query('SET ROLE foretell_analyst');
    await print('SELECT id, username, email, role, enabled, created_datetime FROM users WHERE id = $1');
    await print(
      'SELECT id, user_id, input, model, model_version, dialect FROM requests WHERE user_id = $1 ORDER BY id',
    );
    await print(
      'SELECT responses.id, request_id, status_code, output, duration_ms FROM responses ' +
        'JOIN requests ON requests.id = request_id WHERE user_id = $1 ORDER BY responses.id',
    );
    await print(
      `SELECT input->>'age' AS age, output->>'yhat_prob' AS yhat_prob FROM prediction_log WHERE user_id = $1 ORDER BY id`,
    );
    await runner.query('RESET ROLE');
  } finally {
    await runner.release();
  }
}

/** JSON and times as text, short enough for a table. */
function oneLine(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]: [string, unknown]) => {
      if (value instanceof Date) return [name, value.toISOString()];
      if (typeof value !== 'object' || value === null) return [name, value];
      const text = JSON.stringify(value);
      return [name, text.length > 60 ? `${text.slice(0, 59)}…` : text];
    }),
  );
}

function heading(text: string): void {
  console.log(`── ${text}\n`);
}

function secret(): string {
  return randomBytes(18).toString('base64url');
}

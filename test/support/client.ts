import { randomBytes } from 'node:crypto';
import type { Role } from '#libs/errors';
import type { TestDatabase } from './test-database.js';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON, untyped on purpose: tests check what they expect. */
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

export interface CallOptions {
  /** An object is sent as JSON; a string or bytes as they are. */
  body?: object | string;
  /** Sent as `Bearer <token>`. */
  token?: string;
  headers?: Record<string, string>;
}

/** One HTTP call to a running service. */
export async function call(
  api: { url: string },
  method: string,
  path: string,
  { body, token, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const response = await fetch(api.url + path, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    redirect: 'manual',
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

export interface TestUser {
  id: number;
  username: string;
  password: string;
  email: string;
  token: string;
}

/** A registration: a unique name, and the other fields. */
export function somebody(): Pick<TestUser, 'username' | 'password' | 'email'> {
  const username = `user-${randomBytes(5).toString('hex')}`;
  return { username, password: `secret of ${username}`, email: `${username}@example.org` };
}

/** Registers a user with a unique name over HTTP, gives it the role in the database, and fetches its token. */
export async function createUser(
  api: { url: string },
  database: Pick<TestDatabase, 'query'>,
  role: Role = 'user',
): Promise<TestUser> {
  const credentials = somebody();
  const registered = await call(api, 'POST', '/register-user', { body: credentials });
  if (registered.status !== 201) throw new Error(`register: ${registered.status} ${registered.text}`);
  const id = registered.body.user_id as number;
  if (role !== 'user') await database.query('UPDATE users SET role = $1 WHERE id = $2', [role, id]);
  const issued = await call(api, 'POST', '/token', { body: credentials });
  if (issued.status !== 200) throw new Error(`token: ${issued.status} ${issued.text}`);
  return { id, ...credentials, token: issued.body.token as string };
}

/** A user whom an admin then disabled or removed. */
export async function createEndedUser(
  api: { url: string },
  database: Pick<TestDatabase, 'query'>,
  how: 'disabled' | 'removed',
): Promise<TestUser> {
  const user = await createUser(api, database);
  const { token } = await createUser(api, database, 'admin');
  if (how === 'disabled') await call(api, 'PUT', `/toggle-user-permission/${user.id}/0`, { token });
  else await call(api, 'DELETE', `/remove-user/${user.id}`, { token });
  return user;
}

/** The answer for `PATIENT`, to the last character. */
export const ANSWER = '{"yhat_prob":"0.5124506","yhat":"1"}';

/** The tutorial's patient. */
export const PATIENT = {
  age: 25,
  creatinine_phosphokinase: 1000,
  ejection_fraction: 35,
  platelets: 500000,
  serum_creatinine: 8,
  serum_sodium: 135,
  sex: 1,
  high_blood_pressure: 0,
} as const;

import { beforeAll } from 'vitest';
import { call, createUser, PATIENT, type TestUser } from './client.js';
import { foretell } from './foretell-process.js';
import { prepareDatabase } from './prepared-service.js';
import { startApi, type ApiProcess } from './test-api.js';

export const JWT_SECRET = 'a secret that both processes know';
/** The promise: a change is in force in every process, and tokens have ended in every process, within this time. */
export const EVERYWHERE_WITHIN_MS = 1_000;

/** Two services on one database, and an admin. */
export function prepareTwoServices() {
  const database = prepareDatabase();
  const [a, b, admin] = [{} as ApiProcess, {} as ApiProcess, {} as TestUser];
  beforeAll(async () => {
    const environment = { DATABASE_URL: database.url, JWT_SECRET };
    await Promise.all([a, b].map(async (api) => Object.assign(api, await startApi(environment))));
    Object.assign(admin, await createUser(a, database, 'admin'));
  });
  return {
    database,
    a,
    b,
    toggleAt: (api: ApiProcess, user: TestUser, flag: 0 | 1) =>
      call(api, 'PUT', `/toggle-user-permission/${user.id}/${flag}`, { token: admin.token }),
    /** `foretell users …` */
    users: (args: string[], input?: string) =>
      foretell(['users', ...args], { input, environment: { DATABASE_URL: database.url } }),
    admin,
  };
}

/** The status of a prediction with this token. */
export const predictAt = async (api: ApiProcess, token: string) =>
  (await call(api, 'POST', '/predict', { body: PATIENT, token })).status;

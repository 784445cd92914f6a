import { beforeAll } from 'vitest';
import { call, createUser, PATIENT, type TestUser } from './client.js';
import { foretell } from './foretell-process.js';
import { prepareDatabase } from './prepared-service.js';
import { startApi, startApiForThisTest, type ApiProcess } from './test-api.js';

export const JWT_SECRET = 'a secret that all processes know, of 32 bytes or more';
/** The promise: an account change is in force in every process, and its tokens are revoked, within this time. */
export const EVERYWHERE_WITHIN_MS = 1_000;

/** Two services on one database, and an admin. */
export function prepareTwoServices(settings: Record<string, string> = {}) {
  const database = prepareDatabase();
  const [a, b, admin] = [{} as ApiProcess, {} as ApiProcess, {} as TestUser];
  const environment = () => ({ DATABASE_URL: database.url, JWT_SECRET, ...settings });
  beforeAll(async () => {
    await Promise.all([a, b].map(async (api) => Object.assign(api, await startApi(environment()))));
    Object.assign(admin, await createUser(a, database, 'admin'));
  });
  return {
    database,
    a,
    b,
    admin,
    toggleAt: (api: ApiProcess, user: TestUser, flag: 0 | 1) =>
      call(api, 'PUT', `/toggle-user-permission/${user.id}/${flag}`, { token: admin.token }),
    /** Runs `foretell …` on their database. */
    foretell: (args: string[], input?: string) => foretell(args, { input, environment: environment() }),
    /** One more service, only for this test. */
    start: (others: Record<string, string>) => startApiForThisTest({ ...environment(), ...others }),
  };
}

/** The status of a prediction with this token. */
export const predictAt = async (api: ApiProcess, token: string) =>
  (await call(api, 'POST', '/predict', { body: PATIENT, token })).status;

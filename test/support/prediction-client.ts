import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { ANSWER, call, PATIENT, type TestUser } from './client.js';
import type { DataDir } from './data-dir.js';

/** A client that knows only the name and the password. */
export async function logIn(
  api: { url: string },
  { username, password }: Pick<TestUser, 'username' | 'password'>,
): Promise<string> {
  const answer = await call(api, 'POST', '/token', { body: { username, password } });
  expect(answer.status, answer.text).toBe(200);
  return answer.body.token as string;
}

export async function predict(api: { url: string }, token: string): Promise<void> {
  const answer = await call(api, 'POST', '/predict', { body: PATIENT, token });
  expect(answer.text).toBe(ANSWER);
}

/** Clients that call again after every answer, until no one answers any more. */
export function startLoad(clients: number, api: { url: string }, { token }: TestUser) {
  const answered: string[] = [];
  const incomplete: string[] = [];
  const client = async () => {
    for (;;) {
      const requestId = `load-${randomUUID()}`;
      const response = await fetch(`${api.url}/predict`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${token}`,
          'x-request-id': requestId,
        },
        body: JSON.stringify(PATIENT),
      }).catch(() => undefined);
      // No answer was started: the connection was refused or closed before.
      if (!response) return;
      try {
        const text = await response.text();
        if (response.status === 200 && text === ANSWER) answered.push(requestId);
        else incomplete.push(`${response.status} ${text}`);
      } catch (error) {
        incomplete.push(`${response.status} and then ${String(error)}`);
      }
    }
  };
  const ended = Promise.all(Array.from({ length: clients }, client));
  return {
    answered,
    /** Any answer other than a complete prediction. */
    incomplete,
    ended,
    /** Resolves once this many were answered with 200. */
    async reached(count: number): Promise<void> {
      await expect.poll(() => answered.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
    },
  };
}

/** The requests answered with 200 that are not in the tables exactly once, with request and response. */
export async function unrecorded(dataDir: DataDir, answered: readonly string[]): Promise<string[]> {
  const rows = await dataDir.query<{ request_uuid: string }>(
    `SELECT request_uuid FROM requests JOIN responses ON responses.request_id = requests.id
     WHERE status_code = 200 AND input->>'age' = '25' AND output->>'yhat_prob' = '0.5124506'
     GROUP BY request_uuid HAVING count(*) = 1`,
  );
  const recorded = new Set(rows.map(({ request_uuid }) => request_uuid));
  return answered.filter((requestId) => !recorded.has(requestId));
}

import { expect, test } from 'vitest';
import { createDataDir } from '../support/test-data-dir.js';

test('the demo shows the whole workflow and no secret, leaves nothing running, and can be repeated', async () => {
  const dataDir = createDataDir();
  for (const time of ['first', 'second']) {
    const ending = await dataDir.foretell(['demo']);
    expect(ending, `${time}: ${ending.stderr}`).toMatchObject({ code: 0, stderr: '' });
    expect(ending.stdout).toMatch(/^\{"yhat_prob":"0\.5124506","yhat":"1"\}$/m);
    const statuses = [...ending.stdout.matchAll(/^< (\d+) /gm)].map(([, status]) => Number(status));
    expect(statuses).toEqual([201, 409, 200, 200, 400, 202, 200, 200, 200, 200, 401, 200]);

    expect(ending.stdout).toMatch(/^25,1000,35,500000,8,135,1,0,0\.5124506,1,$/m);
    expect(secretsIn(ending.stdout)).toEqual([]);
    expect(await dataDir.processes()).toEqual([]);
  }

  // The users of both runs are gone, their predictions are not.
  const [users] = await dataDir.query('SELECT count(*)::int, count(username)::int AS names FROM users');
  expect(users).toEqual({ count: 2, names: 0 });
  expect(
    await dataDir.query('SELECT status_code, count(*)::int FROM prediction_log GROUP BY 1 ORDER BY 1'),
  ).toEqual([
    { status_code: 200, count: 2 },
    { status_code: 400, count: 2 },
  ]);
});

/** Whole tokens, and anything in the place of a password. */
function secretsIn(text: string): string[] {
  const tokens = text.match(/eyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g) ?? [];
  const passwords = [...text.matchAll(/password["']?\s*[:=]\s*["']?([^"',\s]+)/gi)].map(
    ([, value]) => value!,
  );
  return [...tokens, ...passwords.filter((value) => value !== '…')];
}

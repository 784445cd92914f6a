/**
 * `npm run bench:isolation`: what a busy slow model costs the others, in one run.
 *
 * Latency of GET /livez and of POST /predict (heart-failure) at 16 connections, by turns without and with eight
 * connections that keep a model of 200 ms per row busy. Round after round; each figure is the median of its rounds.
 * `--quick` makes the rounds short, to see that everything runs.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { startApi, type ApiProcess } from '../test/support/api-process.js';
import { call, PATIENT } from '../test/support/client.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { load, type Figures } from './load.js';

const QUICK = process.argv.includes('--quick');
const ROUNDS = QUICK ? 1 : 7;
const SECONDS = QUICK ? 1 : 4;
const CONNECTIONS = 16;
const SLOW_CONNECTIONS = 8;

const ROUTES = {
  'GET /livez': { path: '/livez' },
  'POST /predict': { path: '/predict', body: JSON.stringify(PATIENT) },
};
const SLOW = { path: '/models/slow/predict', body: JSON.stringify({ a: 1.5, b: 2 }) };

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const database = await openOwnPostgres();
const modelDir = join(database.folder, 'models');
cpSync('model-artifacts/heart-failure', join(modelDir, 'heart-failure'), { recursive: true });
cpSync('test/support/foreign-models/slow', join(modelDir, 'slow/1'), { recursive: true });
try {
  const api = await startApi({ DATABASE_URL: database.url, MODEL_DIR: modelDir });
  try {
    await bench(api);
  } finally {
    await api.stop();
  }
} finally {
  await database.close();
}

async function bench(api: ApiProcess): Promise<void> {
  const credentials = { username: 'bench', password: 'bench', email: 'bench@example.org' };
  await call(api, 'POST', '/register-user', { body: credentials });
  const token = (await call(api, 'POST', '/token', { body: credentials })).body.token as string;
  const measure = (route: object, connections: number) =>
    load({ url: api.url, token, connections, seconds: SECONDS, ...(route as typeof SLOW) });

  const rounds = new Map<string, Figures[]>();
  const keep = (name: string, figures: Figures) => rounds.set(name, [...(rounds.get(name) ?? []), figures]);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, route] of Object.entries(ROUTES)) {
      keep(`${name} unloaded`, await measure(route, CONNECTIONS));
      const slow = measure(SLOW, SLOW_CONNECTIONS);
      keep(`${name} beside the slow model`, await measure(route, CONNECTIONS));
      keep(`slow beside ${name}`, await slow);
    }
    process.stderr.write(`round ${round}/${ROUNDS}\n`);
  }
  const summary = (name: string, figure: keyof Figures) =>
    median(rounds.get(name)!.map((figures) => figures[figure]));

  console.log('| route | figure | unloaded ms | beside the slow model ms | ratio |');
  console.log('|---|---|---|---|---|');
  for (const name of Object.keys(ROUTES)) {
    for (const figure of ['p50', 'p99'] as const) {
      const unloaded = summary(`${name} unloaded`, figure);
      const loaded = summary(`${name} beside the slow model`, figure);
      console.log(
        `| ${name} | ${figure} | ${unloaded.toFixed(2)} | ${loaded.toFixed(2)} | ${(loaded / unloaded).toFixed(2)} |`,
      );
    }
  }
  for (const name of Object.keys(ROUTES)) {
    const requests =
      summary(`${name} beside the slow model`, 'perSecond') / summary(`${name} unloaded`, 'perSecond');
    const slow = summary(`slow beside ${name}`, 'perSecond');
    console.log(
      `\n${name}: ${(requests * 100).toFixed(0)} % of the unloaded requests a second, beside ${slow.toFixed(1)} rows ` +
        `a second of the slow model.`,
    );
  }
}

/**
 * `npm run bench:isolation`: what a busy slow model costs the others.
 *
 * Latency of GET /livez and of POST /predict (heart-failure) at 16 connections, in turns without and with eight
 * connections that keep a model of 200 ms per row busy. Round after round; each figure is the median of its rounds.
 * `--quick` makes the rounds short, to check that everything runs.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { startApi } from '../test/support/api-process.js';
import { openOwnPostgres } from '../test/support/own-postgres.js';
import { load, PREDICT, type Figures } from './load.js';
import { createToken } from './peers/peers.js';
import { benchCommand, progress, readOptions, Rounds, runBench, table } from './run.js';

const command = benchCommand('bench:isolation', 'What a busy slow model costs the others.');
const { rounds: ROUNDS, seconds: SECONDS } = readOptions(command, 7);
const CONNECTIONS = 16;
const SLOW_CONNECTIONS = 8;

const ROUTES = { 'GET /livez': { path: '/livez' }, 'POST /predict': PREDICT };
const SLOW = { path: '/models/slow/predict', body: JSON.stringify({ a: 1.5, b: 2 }) };

await runBench(async ({ folder, ending }) => {
  const database = await ending(openOwnPostgres(), ({ close }) => close());
  const modelDir = join(folder, 'models');
  cpSync('model-artifacts/heart-failure', join(modelDir, 'heart-failure'), { recursive: true });
  cpSync('test/support/foreign-models/slow', join(modelDir, 'slow/1'), { recursive: true });
  const environment = { DATABASE_URL: database.url, MODEL_DIR: modelDir };
  const api = await ending(startApi(environment), ({ stop }) => stop());
  const token = await createToken(api.url);
  const measure = (route: object, connections: number) =>
    load({ url: api.url, token, connections, seconds: SECONDS, ...(route as typeof SLOW) });

  const rounds = new Rounds<Figures>();
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [name, route] of Object.entries(ROUTES)) {
      rounds.add(await measure(route, CONNECTIONS), `${name} unloaded`);
      const slow = measure(SLOW, SLOW_CONNECTIONS);
      rounds.add(await measure(route, CONNECTIONS), `${name} beside the slow model`);
      rounds.add(await slow, `slow beside ${name}`);
    }
    progress(`round ${round}/${ROUNDS}`);
  }
  const summary = (name: string, figure: keyof Figures) => rounds.median(name)![figure];

  const rows = Object.keys(ROUTES).flatMap((name) =>
    (['p50', 'p99'] as const).map((figure) => {
      const unloaded = summary(`${name} unloaded`, figure);
      const loaded = summary(`${name} beside the slow model`, figure);
      return [name, figure, unloaded.toFixed(2), loaded.toFixed(2), (loaded / unloaded).toFixed(2)];
    }),
  );
  console.log(table(['route', 'figure', 'unloaded ms', 'beside the slow model ms', 'ratio'], rows));
  for (const name of Object.keys(ROUTES)) {
    const requests =
      summary(`${name} beside the slow model`, 'perSecond') / summary(`${name} unloaded`, 'perSecond');
    const slow = summary(`slow beside ${name}`, 'perSecond');
    console.log(
      `\n${name}: ${(requests * 100).toFixed(0)} % of the unloaded requests a second, beside ${slow.toFixed(1)} rows ` +
        `a second of the slow model.`,
    );
  }
});

import { join } from 'node:path';
import { startApi } from '../test/support/api-process.js';
import { call, PATIENT } from '../test/support/client.js';
import { createToken } from './peers/peers.js';

/** Process start, embedded PostgreSQL start, model load, one prediction: with an existing data folder. */
export async function coldStart(folder: string): Promise<number> {
  const environment = { DATA_DIR: join(folder, 'cold') };
  const first = await startApi(environment);
  const token = await createToken(first.url);
  await first.stop();
  const started = performance.now();
  const second = await startApi(environment);
  const response = await call(second, 'POST', '/predict', { body: PATIENT, token });
  if (response.status !== 200) throw new Error(`cold start: ${response.status}`);
  const seconds = (performance.now() - started) / 1000;
  await second.stop();
  return seconds;
}

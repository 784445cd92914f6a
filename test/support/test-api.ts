import { onTestFinished } from 'vitest';
import { afterThisFile } from './after-this-file.js';
import { startApi as start, type ApiProcess } from './api-process.js';

export type { ApiProcess };

/** Starts the built service, which ends with this test file, if not before. */
export async function startApi(...parameters: Parameters<typeof start>): Promise<ApiProcess> {
  const api = await start(...parameters);
  afterThisFile(() => api.stop());
  return api;
}

/** The same, but it ends with the test that starts it. */
export async function startApiForThisTest(...parameters: Parameters<typeof start>): Promise<ApiProcess> {
  const api = await start(...parameters);
  onTestFinished(async () => void (await api.stop()));
  return api;
}

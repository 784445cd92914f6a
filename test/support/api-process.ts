import { spawnService, untilListening } from './foretell-process.js';

export type ApiProcess = Awaited<ReturnType<typeof untilListening>>;

/** Starts the built service, or another script, with exactly this environment and resolves once it listens. */
export async function startApi(
  environment: Record<string, string>,
  options: { script?: string } = {},
): Promise<ApiProcess> {
  return untilListening(spawnService({ ...options, environment }));
}

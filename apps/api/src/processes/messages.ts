import cluster from 'node:cluster';
import type { Config } from '#libs/config';

/** What an API process tells the primary. Others use the same channel: Node itself, and whoever collects metrics. */
export type ToPrimary =
  | { type: 'foretell:serving'; url: string; model: string }
  | { type: 'foretell:cannot-start'; message: string }
  | { type: 'foretell:batch-submitted' };

/** What the primary tells its API processes. */
export type FromPrimary = { type: 'foretell:stop' };

export function isOneOfSeveral({ webConcurrency }: Pick<Config, 'webConcurrency'>): boolean {
  return webConcurrency > 1 && cluster.isWorker;
}

/** Resolves once it is sent, or the primary is gone. */
export function tellPrimary(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => process.send!(message, undefined, undefined, () => resolve()));
}

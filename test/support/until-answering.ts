import { setTimeout as sleep } from 'node:timers/promises';
import type { startProcess } from './foretell-process.js';

const PATIENCE_MS = 60_000;

/** Resolves once this address answers. @throws Error with the server's output if it ends or takes too long */
export async function untilAnswering(url: string, server: ReturnType<typeof startProcess>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  const isAnswering = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  let hasEnded = false;
  void server.ended.then(() => (hasEnded = true));
  while (!(await isAnswering())) {
    if (hasEnded || performance.now() > deadline) {
      await server.stop();
      throw new Error(`The server of ${url} ${hasEnded ? 'ended' : 'does not answer'}:\n${server.output()}`);
    }
    await sleep(20);
  }
}

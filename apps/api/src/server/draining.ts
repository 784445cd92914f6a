import { setTimeout as sleep } from 'node:timers/promises';
import plugin from 'fastify-plugin';
import type { FastifyInstance } from 'fastify';
import type { Config } from '#libs/config';

/**
 * The time between being told to stop and accepting no more requests (DRAIN_MS). Meanwhile everything is answered, and
 * proxies (`/readyz` says 503) and clients with a kept-alive connection (`connection: close`) are told to go elsewhere:
 * they would have to repeat what they had sent to a connection that we close, and a prediction must not be repeated.
 */
export class Draining {
  private hasBegun = false;

  constructor(private readonly config: Pick<Config, 'drainMs'>) {}

  get isDraining(): boolean {
    return this.hasBegun;
  }

  /** Resolves when the time is over. */
  async close(): Promise<void> {
    this.hasBegun = true;
    await sleep(this.config.drainMs);
  }
}

/** So that a client with a kept-alive connection does not send its next request to a closed one. */
export const goodbye = plugin(
  async (fastify: FastifyInstance, { draining }: { draining: Draining }) => {
    let isClosing = false;
    fastify.addHook('preClose', (done) => {
      isClosing = true;
      done();
    });
    fastify.addHook('onSend', (_request, reply, _payload, done) => {
      if (isClosing || draining.isDraining) reply.header('connection', 'close');
      done();
    });
  },
  { name: 'goodbye' },
);

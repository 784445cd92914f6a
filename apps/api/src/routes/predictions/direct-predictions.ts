import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Identify } from '../../server/large-bodies.js';
import type { PredictionController, PredictionRequest } from './prediction.controllers.js';

interface DirectParts {
  readonly identify: Identify;
  controllerAt(path: string): PredictionController | undefined;
}

/**
 * Predictions go from Fastify straight to their controller. Nest's way there awaits guards, pipes, interceptors and the
 * answer one after the other: 3.5 µs, a ninth of all that HTTP costs. What it would do for a prediction is known at
 * boot: ask who is calling. A guard, pipe or interceptor at a prediction's controller would not be asked.
 */
export const directPredictions = plugin(
  async (fastify: FastifyInstance, { identify, controllerAt }: DirectParts) => {
    const predict = async (
      controller: PredictionController,
      request: PredictionRequest,
      reply: FastifyReply,
    ): Promise<void> => {
      const identified = identify(request);
      if (identified !== true) await identified;
      await controller.predict(request, reply);
    };
    fastify.addHook('onRoute', (route) => {
      const controller = controllerAt(route.url);
      if (!controller) return;
      route.preHandler = (request, reply, done) => {
        // With an empty parameter it is no path of ours: Nest says so.
        if (Object.values(request.params as object).includes('')) done();
        else predict(controller, request as PredictionRequest, reply).catch(done);
      };
    });
  },
  { name: 'direct-predictions' },
);

import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/constants';
import plugin from 'fastify-plugin';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ALLOWED_ROLES } from '../../guards/roles.guard.js';
import type { Identify } from '../../server/large-bodies.js';
import type { PredictionController, PredictionRequest } from './prediction.controllers.js';

interface DirectParts {
  readonly identify: Identify;
  controllerAt(path: string): PredictionController | undefined;
}

/**
 * Predictions go from Fastify straight to their controller. Nest's way there awaits guards, pipes, interceptors and the
 * answer one after the other: 3.5 µs, a ninth of all that HTTP costs. What it would do for a prediction is known at
 * boot: ask who is calling. A controller for which it would do more is refused at boot.
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
      refuseMore(controller);
      route.preHandler = (request, reply, done) => {
        // With an empty parameter it is no path of ours: Nest says so.
        if (Object.values(request.params as object).includes('')) done();
        else predict(controller, request as PredictionRequest, reply).catch(done);
      };
    });
  },
  { name: 'direct-predictions' },
);

/** What Nest does for a handler or its controller, besides what it does for all. */
const MORE = [
  GUARDS_METADATA,
  PIPES_METADATA,
  INTERCEPTORS_METADATA,
  EXCEPTION_FILTERS_METADATA,
  ALLOWED_ROLES,
];

/** @throws Error if Nest would do something for this controller that is not done here */
export function refuseMore({ constructor, predict }: PredictionController): void {
  const more = MORE.find((key) => Reflect.hasMetadata(key, constructor) || Reflect.hasMetadata(key, predict));
  if (more !== undefined)
    throw new Error(
      `${constructor.name} has ${more}, which predictions do not pass: see direct-predictions.ts.`,
    );
}

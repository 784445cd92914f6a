import { Problem } from '#libs/errors';
import { formatFloat32, type Features, type Model, type Prediction } from '#libs/inference';
import type { Dialect, Question } from '#libs/predictions';

/** One feature object in; the probability of the second label and the decision out, both as strings. */
export const plainDialect: Dialect = {
  name: 'plain',

  read(body: unknown): Question {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw Problem.badRequest('The body must be a JSON object with one member for each column.');
    }
    return { features: body as Features };
  },

  write({ probabilities }: Prediction, { manifest }: Model): string {
    const probability = probabilities[1]!;
    return `{"yhat_prob":"${formatFloat32(probability)}","yhat":"${probability > manifest.threshold ? 1 : 0}"}`;
  },
};

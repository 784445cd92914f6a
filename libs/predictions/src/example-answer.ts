import { Problem } from '#libs/errors';
import type { Model } from '#libs/inference';
import type { Dialect } from './dialects/dialect.js';

const REQUEST_ID = '019aa5e2-7c1f-7b3a-9d44-5f0c8e21b6a7';

/**
 * What a model answers to an example body in the API document.
 * @returns the JSON value; undefined if the model is too slow to be asked, or does not take the example
 */
export async function exampleAnswer(dialect: Dialect, body: unknown, model: Model): Promise<unknown> {
  try {
    const question = dialect.read(body, model);
    const coerced = question.instances.map(model.coerce);
    if (coerced.some(({ errors }) => errors.length > 0)) return undefined;
    const predictions = await Promise.all(coerced.map(({ row }) => model.answerExample(row)));
    const known = predictions.filter((each) => each !== undefined);
    if (known.length < predictions.length) return undefined;
    return JSON.parse(question.write(known, model, REQUEST_ID));
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

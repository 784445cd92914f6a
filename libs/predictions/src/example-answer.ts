import type { Model } from '#libs/inference';
import type { Dialect } from './dialects/dialect.js';

/** As the request id in every example. */
export const EXAMPLE_REQUEST_ID = '019aa5e2-7c1f-7b3a-9d44-5f0c8e21b6a7';

/** In characters: a model may have ten thousand labels, and anybody may read the API document. */
const MAX_LENGTH = 2_000;

const known = new WeakMap<Model, Map<Dialect, Promise<unknown>>>();

/**
 * What a model answers to an example body in the API document. Asked once, however often the document is read.
 * @returns the JSON value; undefined if the model is too slow to be asked, fails at the example, or answers at length
 */
export function exampleAnswer(dialect: Dialect, body: unknown, model: Model): Promise<unknown> {
  const answers = known.get(model) ?? new Map<Dialect, Promise<unknown>>();
  known.set(model, answers);
  let answer = answers.get(dialect);
  // A graph may refuse some values that its columns accept, and the document covers other models as well.
  if (!answer) answers.set(dialect, (answer = ask(dialect, body, model).catch(() => undefined)));
  return answer;
}

async function ask(dialect: Dialect, body: unknown, model: Model): Promise<unknown> {
  const question = dialect.read(body, model);
  const coerced = question.instances.map(model.coerce);
  if (coerced.some(({ errors }) => errors.length > 0)) return undefined;
  const predictions = await Promise.all(coerced.map(({ row }) => model.answerExample(row)));
  const answered = predictions.filter((each) => each !== undefined);
  if (answered.length < predictions.length) return undefined;
  const text = question.write(answered, model, EXAMPLE_REQUEST_ID);
  return text.length > MAX_LENGTH ? undefined : JSON.parse(text);
}

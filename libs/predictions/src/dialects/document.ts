import type { Column, Manifest } from '#libs/inference';
import type { JsonSchema, NamedSchema } from '#libs/json';

/** What the API document says about a dialect. Its refusals are described by their `ProblemForm`. */
export interface DialectDocument {
  /**
   * What its operations are grouped under, with a description if no other operations are. Undefined: its routes are
   * described separately for each model, because each takes different bodies.
   */
  readonly group?: { readonly name: string; readonly description?: string };
  readonly answer: NamedSchema;
  readonly answerDescription?: string;
  /** If it depends on what the model is for: `answer` is then that of a binary classifier. */
  answerOf?(task: Manifest['task']): JsonSchema;
  /**
   * The bodies that a model with these columns takes, by media type, each with an example that works.
   * @param features the schema of one row as an object
   */
  bodies(features: JsonSchema, columns: readonly Column[]): Record<string, DescribedBody>;
}

export interface DescribedBody {
  /** Its name among the document's schemas, if it has one. */
  readonly name?: string;
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

import type { Column } from '#libs/inference';
import type { JsonSchema, NamedSchema } from '#libs/json';

/** What the API document says of a dialect; of its refusals `ProblemForm` says it. */
export interface DialectDocument {
  /** Under which its operations stand. */
  readonly tag: string;
  /** Whether its routes are described once for each model, because a body looks different for each. */
  readonly isForEachModel: boolean;
  readonly answer: NamedSchema;
  readonly answerDescription?: string;
  /**
   * What a body may be, by media type, for a model of these columns, with an example that works.
   * @param features the schema of one row as an object
   */
  bodies(features: JsonSchema, columns: readonly Column[]): Record<string, DescribedBody>;
}

export interface DescribedBody {
  /** In the document, where it has one. */
  readonly name?: string;
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

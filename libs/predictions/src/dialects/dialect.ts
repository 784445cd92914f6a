import type { FieldError, Problem, ProblemForm } from '#libs/errors';
import type { Features, Manifest, Model, Prediction } from '#libs/inference';
import type { DialectDocument } from './document.js';
import type { LeftOut } from './excess.js';
import type { Gist } from './gist.js';
import type { PredictionRoute } from './route.js';

/** The headers of a request, in lower case. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A wire format: where and how a body asks, and how an answer or a refusal is written. It does not depend on HTTP. */
export interface Dialect {
  /** As recorded. */
  readonly name: string;
  /** The dialect's own paths. Every refusal there has its form, even if there is no such route. */
  readonly paths: RegExp;
  /** Other spellings of paths, each with the path that is meant. */
  readonly spellings?: Readonly<Record<string, string>>;
  readonly problems: ProblemForm;
  readonly routes: readonly PredictionRoute[];
  readonly document: DialectDocument;
  /** What a body may be declared as, for people. */
  readonly mediaTypes: string;
  /** Whether a body with this Content-Type can be read. */
  accepts(contentType: string | undefined): boolean;
  /** A body → the JSON value that is recorded: what was sent, or its equal in JSON. @throws Problem `bad-request` */
  parse(body: Buffer, headers: RequestHeaders, model: Model): unknown;
  /** That value, also when it is read back from the record, → the question. @throws Problem `bad-request` */
  read(input: unknown, model: Model): Question;
  /**
   * The value of an answered question → what is recorded of it if it is large: everything that the answer was
   * made from, so that it reads the same again, and as much of the rest as there is room for.
   */
  abridge(input: unknown, model: Model, leftOut: LeftOut): unknown;
  /** A recorded answer → what it came to, one per instance. */
  recall(output: unknown, manifest: Manifest): Gist[];
}

/** What a caller asked: one row or more, and how the answer is to be written. */
export interface Question {
  readonly instances: readonly Features[];
  /** What is wrong with values, with their places in the body. */
  refuse(errors: readonly BadValue[]): Problem;
  /** The answer as JSON text, which is sent and recorded unchanged; one prediction per instance, in order. */
  write(predictions: readonly Prediction[], model: Model, requestId: string): string;
}

/** One column of one instance that the model cannot take; the pointer begins at the instance. */
export interface BadValue extends FieldError {
  readonly instance: number;
  /** For a column that is missing: the caller's name that looks like it. */
  readonly lookAlike?: string;
}

import type { Features, Model, Prediction } from '#libs/inference';

/** What a caller asked, read from a body: one row or more. */
export interface Question {
  instances: readonly Features[];
  /** Where in the body an instance stands, as a JSON Pointer: '' for the body itself, '/instances/3' for one of many. */
  locate(index: number): string;
}

/** A wire format: how a body asks and how an answer is written. Dialects live with the routes that speak them. */
export interface Dialect {
  /** As recorded. */
  readonly name: string;
  /** The JSON value in a body → the question. @throws Problem `bad-request` */
  read(body: unknown): Question;
  /** The answer as JSON text, which is sent and recorded as it is; one prediction an instance, in their order. */
  write(predictions: readonly Prediction[], model: Model, requestId: string): string;
}

import type { Features, Model, Prediction } from '#libs/inference';

/** What a caller asked, read from a body. */
export interface Question {
  features: Features;
}

/** A wire format: how a body asks and how an answer is written. Dialects live with the routes that speak them. */
export interface Dialect {
  /** As recorded. */
  readonly name: string;
  /** The JSON value in a body → the question. @throws Problem `bad-request` */
  read(body: unknown): Question;
  /** The answer as JSON text, which is sent and recorded as it is. */
  write(prediction: Prediction, model: Model): string;
}

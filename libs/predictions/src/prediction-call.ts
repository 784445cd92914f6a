import type { Actor } from '#libs/errors';
import type { ModelReference } from '#libs/models';
import type { Span } from '#libs/observability';
import type { Dialect, RequestHeaders } from './dialects/dialect.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it arrived. */
  body: Buffer;
  /** The headers that came with it. */
  headers: RequestHeaders;
  /** The model to ask; the default model if undefined. */
  model?: ModelReference;
  idempotency?: {
    /** The caller's `Idempotency-Key`. */
    key: string;
    /** Called if the answer is one that was given before. */
    onReplay(): void;
  };
  /** The request's span, if it is traced. */
  trace?: Span;
}

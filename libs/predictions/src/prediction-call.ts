import type { Actor } from '#libs/errors';
import type { ModelReference } from '#libs/models';
import type { Span } from '#libs/observability';
import type { Dialect, RequestHeaders } from './dialects/dialect.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it came. */
  body: Buffer;
  /** The headers it came with. */
  headers: RequestHeaders;
  /** The model to ask; the default model if undefined. */
  model?: ModelReference;
  idempotency?: {
    /** The caller's `Idempotency-Key`. */
    key: string;
    /** Called if the answer is the one that was given before. */
    onReplay(): void;
  };
  /** The request's span, if it is traced. */
  trace?: Span;
}

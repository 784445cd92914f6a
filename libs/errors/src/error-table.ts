/**
 * Code → HTTP status and public title. `docs/errors.md` has one line for each; a test keeps the two equal.
 * The title never changes from one occasion to the next (RFC 9457 §3.1.3); the occasion is told in `detail`.
 */
export const ERRORS = {
  'bad-request': { status: 400, title: 'Bad request' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  'invalid-credentials': { status: 401, title: 'Invalid credentials' },
  'invalid-token': { status: 401, title: 'Invalid token' },
  forbidden: { status: 403, title: 'Forbidden' },
  'registration-closed': { status: 403, title: 'Registration closed' },
  'not-found': { status: 404, title: 'Not found' },
  'model-not-found': { status: 404, title: 'Model not found' },
  'user-not-found': { status: 404, title: 'User not found' },
  'batch-not-found': { status: 404, title: 'Batch not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timeout': { status: 408, title: 'Request timeout' },
  'user-already-exists': { status: 409, title: 'User already exists' },
  'last-admin': { status: 409, title: 'Last admin' },
  'model-version-exists': { status: 409, title: 'Model version exists' },
  'batch-not-finished': { status: 409, title: 'Batch not finished' },
  'batch-without-output': { status: 409, title: 'Batch without output' },
  'batch-expired': { status: 410, title: 'Batch expired' },
  'body-too-large': { status: 413, title: 'Body too large' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'artifact-not-usable': { status: 422, title: 'Artifact not usable' },
  'idempotency-key-reused': { status: 422, title: 'Idempotency key reused' },
  'too-many-failed-logins': { status: 429, title: 'Too many failed logins' },
  'too-many-registrations': { status: 429, title: 'Too many registrations' },
  'too-many-batches': { status: 429, title: 'Too many batches' },
  'headers-too-large': { status: 431, title: 'Headers too large' },
  'internal-error': { status: 500, title: 'Internal error' },
  overloaded: { status: 503, title: 'Overloaded' },
  'database-unavailable': { status: 503, title: 'Database unavailable' },
  'prediction-timeout': { status: 504, title: 'Prediction timeout' },
  'storage-full': { status: 507, title: 'Storage full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

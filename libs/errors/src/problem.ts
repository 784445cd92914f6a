import { ERRORS, type ErrorCode } from './error-table.js';

/** One thing wrong with one field; `pointer` is a JSON Pointer as a URI fragment (RFC 6901 §6). */
export interface FieldError {
  readonly detail: string;
  readonly pointer: string;
}

interface ProblemOptions {
  /** Extension members shown to the caller beside the standard ones. */
  members?: Record<string, unknown>;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A refusal that may be shown to the caller: it never carries a secret, a stack or another user's data. */
export class Problem extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly members: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.name = 'Problem';
    this.code = code;
    this.status = ERRORS[code].status;
    this.title = ERRORS[code].title;
    this.members = options.members ?? {};
    this.headers = options.headers ?? {};
  }

  static badRequest(detail: string, errors?: readonly FieldError[]): Problem {
    return new Problem('bad-request', detail, errors && { members: { errors } });
  }

  /** 429 with `Retry-After`. */
  static tooMany(code: ErrorCode, attempts: string, waitMs: number): Problem {
    const seconds = Math.ceil(waitMs / 1000);
    const detail = `Too many ${attempts}. Try again in ${seconds} seconds.`;
    return new Problem(code, detail, { headers: { 'retry-after': String(seconds) } });
  }

  /** 503 with `Retry-After`: the work was refused before it began, so that a retry is safe. */
  static overloaded(detail: string, retryAfterSeconds = 1): Problem {
    return new Problem('overloaded', detail, { headers: { 'retry-after': String(retryAfterSeconds) } });
  }

  static databaseUnavailable(cause: unknown): Problem {
    const detail = 'The database does not answer at the moment. Please try again.';
    return new Problem('database-unavailable', detail, { headers: { 'retry-after': '1' }, cause });
  }

  /** The members of an RFC 9457 problem document, with the extension members of the contract. */
  toBody(requestId?: string) {
    return {
      type: `urn:foretell:error:${this.code}`,
      title: this.title,
      status: this.status,
      detail: this.message,
      message: this.title,
      ...this.members,
      request_id: requestId,
    };
  }
}

import { HttpException } from '@nestjs/common';
import { isUnavailable } from '#libs/database';
import { Problem, type ErrorCode } from '#libs/errors';

/** Codes of Fastify's and Nest's own refusals by status; their texts are not shown, ours say what would be right. */
const BY_STATUS: Record<number, [ErrorCode, string]> = {
  400: ['bad-request', 'The request could not be read: the body is not JSON, or the URL is malformed.'],
  404: ['not-found', 'There is nothing at this path.'],
  408: ['request-timeout', 'The request did not arrive in time.'],
  415: ['unsupported-media-type', 'Send the body as application/json.'],
  431: ['headers-too-large', 'The headers are too large.'],
};

export function bodyTooLarge(limit: number): Problem {
  return new Problem('body-too-large', `This route takes a body of at most ${limit} bytes.`);
}

/**
 * Any error as a `Problem`; an error in our own code becomes `internal-error`, with the cause kept.
 * @param bodyLimit of the route, in bytes
 */
export function toProblem(error: unknown, bodyLimit?: number): Problem {
  if (error instanceof Problem) return error;
  const status =
    error instanceof HttpException
      ? error.getStatus()
      : (error as { statusCode?: number } | undefined)?.statusCode;
  if (status === 413 && bodyLimit !== undefined) return bodyTooLarge(bodyLimit);
  const known = status === undefined ? undefined : BY_STATUS[status];
  if (known) return new Problem(...known);
  // Last, because a client that disconnects in the middle of its body is an ECONNRESET as well.
  if (isUnavailable(error)) return Problem.databaseUnavailable(error);
  return new Problem('internal-error', 'Something failed for a reason of ours. It is in our log.', {
    cause: error,
  });
}

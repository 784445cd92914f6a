import type { OpenAPIObject } from '@nestjs/swagger';
import type { ProblemForm } from '#libs/errors';
import { problemFormAt } from '#libs/predictions';
import { referenceTo, STRING } from './schemas.js';

/** What every route answers that is like it, so that no controller has to say it again. */
const REFUSALS = {
  400: 'Something is missing or invalid; `errors` or the text says what.',
  401: 'No token, or one that is malformed, expired, or of a disabled or removed user.',
  413: 'The body is too large.',
  415: 'The media type is not supported, or there is a Content-Encoding.',
  503: 'The database does not answer, or the service is overloaded; see `Retry-After`.',
} as const;

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Answer = { description: string; content?: object; headers?: object };

/** Adds them to the document, each in the form of its path. */
export function describeRefusals(document: OpenAPIObject): void {
  for (const [path, operation] of operationsOf(document)) describeOperation(operation, problemFormAt(path));
}

/** Each with its path. */
export function operationsOf({ paths }: OpenAPIObject): [string, Operation][] {
  return Object.entries(paths).flatMap(([path, { get, put, post, delete: remove }]) =>
    [get, put, post, remove].flatMap((operation): [string, Operation][] =>
      operation ? [[path, operation]] : [],
    ),
  );
}

function describeOperation(operation: Operation, { contentType, schema }: ProblemForm): void {
  const answers = operation.responses as Record<string, Answer>;
  for (const status of statusesOf(operation)) answers[status] ??= { description: REFUSALS[status] };
  for (const [status, answer] of Object.entries(answers)) {
    if (Number(status) < 400 || answer.content) continue;
    answer.content = { [contentType.split(';')[0]!]: { schema: referenceTo(schema) } };
    if (status === '401') answer.headers = { 'WWW-Authenticate': { schema: STRING, required: true } };
  }
}

function statusesOf({ parameters = [], requestBody, security }: Operation): (keyof typeof REFUSALS)[] {
  const takesSomething = parameters.length > 0 || requestBody !== undefined;
  const needsToken = security!.length > 0;
  return [
    // Also where nothing is taken: of a message that is malformed.
    400,
    ...(needsToken ? ([401] as const) : []),
    ...(requestBody ? ([413, 415] as const) : []),
    ...(takesSomething || needsToken ? ([503] as const) : []),
  ];
}

import type { OpenAPIObject } from '@nestjs/swagger';
import { list, named, record, STRING } from './schemas.js';

/** What every route answers that is like it, so that no controller has to say it again. */
const REFUSALS = {
  400: 'Something is missing or invalid; `errors` or the text says what.',
  401: 'No token, or one that is malformed, expired, or of a disabled or removed user.',
  413: 'The body is too large.',
  415: 'The media type is not supported, or there is a Content-Encoding.',
  503: 'The database does not answer, or the service is overloaded; see `Retry-After`.',
} as const;

const FORMS = {
  Problem: {
    type: 'application/problem+json',
    schema: named('Problem', {
      type: 'object',
      // Refused at the door, before its headers are read, a request has no id.
      required: ['type', 'title', 'status', 'detail', 'message'],
      properties: {
        type: { type: 'string', pattern: '^urn:foretell:error:[a-z-]+$' },
        title: STRING,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        detail: STRING,
        message: STRING,
        request_id: STRING,
        errors: list(record({ detail: STRING, pointer: STRING })),
      },
    }),
  },
  MlflowError: {
    type: 'application/json',
    schema: named(
      'MlflowError',
      record({ error_code: { type: 'string', pattern: '^[A-Z_]+$' }, message: STRING }),
    ),
  },
  OpenInferenceError: {
    type: 'application/json',
    schema: named('OpenInferenceError', record({ error: STRING })),
  },
} as const;

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Answer = { description: string; content?: object; headers?: object };

/** Adds them to the document, each in the form that the route's dialect gives it. */
export function describeRefusals(document: OpenAPIObject): void {
  for (const [path, operation] of operationsOf(document)) describeOperation(operation, formOf(path));
}

/** Each with its path. */
export function operationsOf({ paths }: OpenAPIObject): [string, Operation][] {
  return Object.entries(paths).flatMap(([path, { get, put, post, delete: remove }]) =>
    [get, put, post, remove].flatMap((operation): [string, Operation][] =>
      operation ? [[path, operation]] : [],
    ),
  );
}

function describeOperation(operation: Operation, form: keyof typeof FORMS): void {
  const answers = operation.responses as Record<string, Answer>;
  for (const status of statusesOf(operation)) answers[status] ??= { description: REFUSALS[status] };
  for (const [status, answer] of Object.entries(answers)) {
    if (Number(status) < 400 || answer.content) continue;
    answer.content = { [FORMS[form].type]: { schema: FORMS[form].schema } };
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

function formOf(path: string): keyof typeof FORMS {
  if (/^\/v2(\/|$)/.test(path)) return 'OpenInferenceError';
  return /^\/ping$|\/invocations$/.test(path) ? 'MlflowError' : 'Problem';
}

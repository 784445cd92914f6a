import type { OpenAPIObject } from '@nestjs/swagger';
import { list, record, STRING } from './schemas.js';

/** What every route answers that is like it, so that no controller has to say it again. */
const REFUSALS = {
  400: 'Not as it should be; `errors` or the text says what is wrong.',
  401: 'No token, or one that is malformed, expired, or of a disabled or removed user.',
  413: 'The body has more bytes than are taken.',
  415: 'The body is declared as something that is not taken, or with a Content-Encoding.',
  503: 'The database does not answer, or more is asked than can be done; see `Retry-After`.',
} as const;

const FORMS = {
  Problem: {
    type: 'application/problem+json',
    schema: {
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
    },
  },
  MlflowError: {
    type: 'application/json',
    schema: record({ error_code: { type: 'string', pattern: '^[A-Z_]+$' }, message: STRING }),
  },
  OpenInferenceError: { type: 'application/json', schema: record({ error: STRING }) },
} as const;

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Answer = { description: string; content?: object; headers?: object };

/** Adds them to the document, each in the form that the route's dialect gives it. */
export function describeRefusals(document: OpenAPIObject): void {
  document.components!.schemas = {
    ...document.components!.schemas,
    ...Object.fromEntries(Object.entries(FORMS).map(([name, { schema }]) => [name, schema])),
  } as NonNullable<OpenAPIObject['components']>['schemas'];
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of ['get', 'put', 'post', 'delete'] as const) {
      const operation = item[method];
      if (operation) describeOperation(operation, formOf(path));
    }
  }
}

function describeOperation(operation: Operation, form: keyof typeof FORMS): void {
  const answers = operation.responses as Record<string, Answer>;
  for (const status of statusesOf(operation)) answers[status] ??= { description: REFUSALS[status] };
  for (const [status, answer] of Object.entries(answers)) {
    if (Number(status) < 400 || answer.content) continue;
    answer.content = { [FORMS[form].type]: { schema: { $ref: `#/components/schemas/${form}` } } };
    if (status === '401') answer.headers = { 'WWW-Authenticate': { schema: STRING, required: true } };
  }
}

function statusesOf({ parameters = [], requestBody, security }: Operation): (keyof typeof REFUSALS)[] {
  const takesSomething = parameters.length > 0 || requestBody !== undefined;
  return [
    ...(takesSomething ? ([400] as const) : []),
    ...(security ? ([401] as const) : []),
    ...(requestBody ? ([413, 415] as const) : []),
    ...(takesSomething || security ? ([503] as const) : []),
  ];
}

function formOf(path: string): keyof typeof FORMS {
  if (/^\/v2(\/|$)/.test(path)) return 'OpenInferenceError';
  return /^\/ping$|\/invocations$/.test(path) ? 'MlflowError' : 'Problem';
}

import { applyDecorators } from '@nestjs/common';
import { ApiExtension, type OpenAPIObject } from '@nestjs/swagger';
import { ERRORS, Problem, type ErrorCode, type ProblemForm } from '#libs/errors';
import { EXAMPLE_REQUEST_ID, problemFormAt } from '#libs/predictions';
import { referenceTo, STRING } from './schemas.js';

/** Errors by code, each with when it happens. */
type Refusals = Partial<Record<ErrorCode, string>>;

type Mark = `x-refuses-${ErrorCode}`;

/** The errors of a route, in addition to those of every route of its kind. A guard or a controller may add more. */
export const Refuses = (refusals: Refusals) =>
  applyDecorators(...Object.entries(refusals).map(([code, when]) => ApiExtension(`x-refuses-${code}`, when)));

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']> & Partial<Record<Mark, string>>;
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

function describeOperation(operation: Operation, form: ProblemForm): void {
  const answers = operation.responses as Record<string, Answer>;
  const all = { ...usualRefusals(operation), ...ownRefusals(operation) };
  const refusals = Object.entries(all) as [ErrorCode, string][];
  for (const status of new Set(refusals.map(([code]) => statusOf(code)))) {
    // Health reports failures in a form of its own.
    if (answers[status]?.content) continue;
    const here = refusals.filter(([code]) => statusOf(code) === status);
    answers[status] = {
      description: here.map(([, when]) => when).join(' '),
      content: { [form.contentType.split(';')[0]!]: contentOf(here, form) },
      ...(status === 401 && { headers: { 'WWW-Authenticate': { schema: STRING, required: true } } }),
    };
  }
}

/** Removes the marks: they are of no use to a reader. */
function ownRefusals(operation: Operation): Refusals {
  const refusals: Refusals = {};
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const mark: Mark = `x-refuses-${code}`;
    if (operation[mark] !== undefined) refusals[code] = operation[mark];
    delete operation[mark];
  }
  return refusals;
}

const statusOf = (code: ErrorCode): number => ERRORS[code].status;

/** With an example of each error. */
function contentOf(refusals: [ErrorCode, string][], { schema, write }: ProblemForm): object {
  const examples = refusals.map(([code, when]) => {
    const value: unknown = JSON.parse(write(new Problem(code, when), EXAMPLE_REQUEST_ID));
    return [code, { summary: ERRORS[code].title, value }];
  });
  return { schema: referenceTo(schema), examples: Object.fromEntries(examples) as object };
}

/** What every route of this kind answers, so that no controller has to repeat it. */
function usualRefusals({ parameters = [], requestBody, security }: Operation): Refusals {
  const needsToken = security!.length > 0;
  return {
    // Even if the route takes no input: a message can be malformed.
    'bad-request': 'Something is missing or invalid; `errors` or the text says what.',
    ...(needsToken && {
      unauthorized: 'No token, or one that is malformed, expired, or of a disabled or removed user.',
    }),
    ...(requestBody && {
      'body-too-large': 'The body is too large.',
      'unsupported-media-type': 'The media type is not supported, or there is a Content-Encoding.',
    }),
    ...((parameters.length > 0 || requestBody || needsToken) && {
      overloaded: 'More is asked than can be done; see `Retry-After`.',
      'database-unavailable': 'The database does not answer; see `Retry-After`.',
    }),
  };
}

import type { Problem } from './problem.js';

/** How a protocol writes refusals. */
export interface ProblemForm {
  readonly contentType: string;
  /**
   * As the text that is sent and recorded.
   * @param requestId undefined for what is refused before its headers are read
   */
  write(problem: Problem, requestId?: string): string;
  /** A JSON Schema of what is written, and its name in the API document. */
  readonly schema: { readonly name: string; readonly schema: object };
}

const STRING = { type: 'string' };

/** RFC 9457. */
export const problemJson: ProblemForm = {
  contentType: 'application/problem+json; charset=utf-8',
  write: (problem, requestId) => JSON.stringify(problem.toBody(requestId)),
  schema: {
    name: 'Problem',
    schema: {
      type: 'object',
      required: ['type', 'title', 'status', 'detail', 'message'],
      properties: {
        type: { type: 'string', pattern: '^urn:foretell:error:[a-z-]+$' },
        title: STRING,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        detail: STRING,
        message: STRING,
        request_id: STRING,
        errors: {
          type: 'array',
          items: {
            type: 'object',
            required: ['detail', 'pointer'],
            properties: { detail: STRING, pointer: STRING },
            additionalProperties: false,
          },
        },
      },
    },
  },
};

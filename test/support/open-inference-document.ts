import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { expect } from 'vitest';
import type { Answer } from './client.js';

interface Content {
  content?: { 'application/json': { schema: { $ref: string } } };
}

interface Operation {
  requestBody?: Content;
  responses: Record<string, Content>;
}

/** The protocol's own OpenAPI document. Its type `bytes` does not exist in JSON. */
const document = JSON.parse(
  readFileSync(new URL('open-inference/dataplane.json', import.meta.url), 'utf8'),
  (_, value: unknown) => ((value as { type?: unknown } | null)?.type === 'bytes' ? false : value),
) as { paths: Record<string, Record<string, Operation>> };

const ajv = new Ajv({ strict: false, schemas: { 'dataplane.json': document } });

function operationOf(method: string, path: string): Operation {
  const [route] = path
    .replace(/\/models\/[^/]+/, '/models/{model_name}')
    .replace(/\/versions\/[^/]+/, '/versions/{model_version}')
    .split(/\/?(?:\?|$)/);
  const operation = document.paths[route!]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the document has no ${method} ${route}`);
  return operation;
}

function expectValid(value: unknown, { content }: Content): void {
  if (!content) return;
  const validate: ValidateFunction = ajv.compile({
    $ref: `dataplane.json${content['application/json'].schema.$ref}`,
  });
  validate(value);
  expect(validate.errors, JSON.stringify(value)).toBeNull();
}

export function expectProtocolRequest(method: string, path: string, body: unknown): void {
  expectValid(body, operationOf(method, path).requestBody!);
}

/** An error that the document does not describe has the form of those that it does. */
export function expectProtocolAnswer(method: string, path: string, answer: Answer): void {
  const { responses } = operationOf(method, path);
  const error = responses['400'] ?? {};
  expectValid(answer.body, responses[answer.status] ?? error);
  if (answer.status < 400) return;
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(answer.body).toEqual({ error: expect.stringMatching(/./) });
}

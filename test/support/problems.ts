import { expect } from 'vitest';
import type { Answer } from './client.js';

/** The fields that a refusal names, in its order. */
export const pointersOf = ({ body }: Answer): string[] =>
  body.errors.map(({ pointer }: { pointer: string }) => pointer);

/** It names this one field and no other. */
export function expectBadField(answer: Answer, name: string, detail: RegExp = /./): void {
  expectProblem(answer, 400, 'Bad request');
  expect(answer.body.errors).toEqual([{ detail: expect.stringMatching(detail), pointer: `#/${name}` }]);
}

/** A refusal in our own form (RFC 9457), with all of its members. */
export function expectProblem(answer: Answer, status: number, title: string): void {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/^urn:foretell:error:[a-z-]+$/),
    title,
    status,
    detail: expect.stringMatching(/./),
    message: title,
    request_id: answer.headers.get('x-request-id'),
  });
}

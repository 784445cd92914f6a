import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode } from './error-table.js';
import { Problem } from './problem.js';

/** The rows of the table in docs/errors.md: code, status, title, when, what to do. */
const documented = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/errors.md', () => {
  test('has exactly one entry for each code, with its status and title', () => {
    const entries = documented.map(([code, status, title]) => `${code} ${status} ${title}`);
    const codes = Object.entries(ERRORS).map(([code, { status, title }]) => `\`${code}\` ${status} ${title}`);
    expect(entries.toSorted()).toEqual(codes.toSorted());
  });

  test('says of each when it happens and what to do', () => {
    for (const cells of documented) {
      expect(cells).toHaveLength(5);
      for (const cell of cells.slice(3)) expect(cell, cells[0]).toMatch(/\w.{10,}\.$/);
    }
  });
});

test.each(Object.entries(ERRORS))('%s is a code for a URN, with a status of an error', (code, { status }) => {
  expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
});

test('titles and codes are not used twice', () => {
  const titles = Object.values(ERRORS).map(({ title }) => title);
  expect(new Set(titles).size).toBe(titles.length);
});

describe('a problem', () => {
  test.each(Object.keys(ERRORS) as ErrorCode[])('of code %s has the members of RFC 9457 and ours', (code) => {
    expect(new Problem(code, 'What happened here.').toBody('request 1')).toEqual({
      type: `urn:foretell:error:${code}`,
      title: ERRORS[code].title,
      status: ERRORS[code].status,
      detail: 'What happened here.',
      message: ERRORS[code].title,
      request_id: 'request 1',
    });
  });

  test('shows its extension members, and neither its cause nor its stack', () => {
    const problem = new Problem('internal-error', 'Something failed.', {
      members: { user_id: 1 },
      cause: new Error('password=hunter2'),
    });
    const body = problem.toBody('request 1');
    expect(body).toMatchObject({ user_id: 1 });
    expect(JSON.stringify(body)).not.toMatch(/hunter2|stack|error-table/);
  });

  test('of the columns lists them in `errors`; without any the member is absent', () => {
    const errors = [{ detail: 'is required', pointer: '#/age' }];
    expect(Problem.badRequest('1 column is missing.', errors).toBody('1')).toMatchObject({ errors });
    expect(Problem.badRequest('Not JSON.').toBody('1')).not.toHaveProperty('errors');
  });

  test('that is temporary says when to retry', () => {
    expect(Problem.overloaded('Busy.', 5).headers).toEqual({ 'retry-after': '5' });
    expect(Problem.databaseUnavailable(new Error('ECONNREFUSED')).headers).toEqual({ 'retry-after': '1' });
  });
});

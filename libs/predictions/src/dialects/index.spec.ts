import { expect, test } from 'vitest';
import { problemJson } from '#libs/errors';
import { dialectNamed, dialects, problemFormAt } from './index.js';

const routes = dialects.flatMap((dialect) =>
  dialect.routes.map((route) => [`/${route.path}`, dialect] as const),
);

test.each(routes)('%s is among the paths of its dialect, and of no other', (path, dialect) => {
  expect(dialects.filter(({ paths }) => paths.test(path))).toEqual([dialect]);
});

test('no two routes share a path, and no two dialects share a name', () => {
  expect(new Set(routes.map(([path]) => path)).size).toBe(routes.length);
  expect(dialects.map(({ name }) => dialectNamed(name))).toEqual(dialects);
});

test('no two forms of refusal share a name in the API document', () => {
  const forms = new Set([problemJson, ...dialects.map(({ problems }) => problems)]);
  expect(new Set([...forms].map(({ schema }) => schema.name)).size).toBe(forms.size);
});

test('an invalid URL has a form of refusal as well', () => {
  for (const url of ['', '*', '?', '%', '//v2', 'http://', 'http://?/v2', '/v2\n/'])
    expect(problemFormAt(url)).toBe(problemJson);
});

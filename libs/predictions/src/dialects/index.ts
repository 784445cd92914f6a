import { problemJson, type ProblemForm } from '#libs/errors';
import type { Dialect } from './dialect.js';
import { mlflowDialect } from './mlflow/mlflow.dialect.js';
import { namedDialect } from './named/named.dialect.js';
import { oipDialect } from './oip/oip.dialect.js';
import { plainDialect } from './plain/plain.dialect.js';

/** Every dialect. A new one is a folder beside this file and a line here. */
export const dialects: readonly Dialect[] = [plainDialect, namedDialect, mlflowDialect, oipDialect];

const byName = new Map(dialects.map((each) => [each.name, each]));

/** By the name it is recorded under. */
export function dialectNamed(name: string): Dialect | undefined {
  return byName.get(name);
}

/** Spellings of paths that no route has, each with the path that is meant. */
export const otherSpellings: ReadonlyMap<string, string> = new Map(
  dialects.flatMap(({ spellings = {} }) => Object.entries(spellings)),
);

/**
 * How refusals are written at a URL, whether or not anything is there.
 * @param url the target of a request line: mostly a path with its query, but it may have a host (RFC 9112 §3.2)
 */
export function problemFormAt(url: string): ProblemForm {
  const path = pathOf(url);
  return dialects.find(({ paths }) => paths.test(path))?.problems ?? problemJson;
}

/** As the router reads it. */
function pathOf(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  if (!path.includes('%')) return path;
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

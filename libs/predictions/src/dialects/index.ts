import type { Dialect } from './dialect.js';
import { namedDialect } from './named.dialect.js';
import { plainDialect } from './plain.dialect.js';

/** Every dialect by the name it is recorded under. */
export const dialects = new Map<string, Dialect>(
  [plainDialect, namedDialect].map((each) => [each.name, each]),
);

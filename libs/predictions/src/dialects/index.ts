import type { Dialect } from './dialect.js';
import { mlflowDialect } from './mlflow/mlflow.dialect.js';
import { namedDialect } from './named/named.dialect.js';
import { oipDialect } from './oip/oip.dialect.js';
import { plainDialect } from './plain/plain.dialect.js';

/** Every dialect by the name it is recorded under. */
export const dialects = new Map<string, Dialect>(
  [plainDialect, namedDialect, mlflowDialect, oipDialect].map((each) => [each.name, each]),
);

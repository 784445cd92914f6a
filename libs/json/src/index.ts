/**
 * JSON: weighed before it is parsed, also parsed as Python writes it, written for the record, described by schemas.
 * It does not depend on HTTP or models. Used by the code that reads bodies and by the code that describes them.
 */
export { isObject, parseJsonBody, parsePythonJsonBody, writeJson, type RowLimit } from './json-body.js';
export {
  ANYTHING,
  BOOLEAN,
  COUNT,
  dictionary,
  INTEGER,
  list,
  NUMBER,
  oneOf,
  orNull,
  record,
  STRING,
  type JsonSchema,
  type NamedSchema,
} from './json-schema.js';
export { weighJson } from './json-weight.js';

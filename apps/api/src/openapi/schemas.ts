import { list, orNull, record, STRING, type JsonSchema, type NamedSchema } from '#libs/json';

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
} from '#libs/json';

/** Schemas of answers. They name every member that is there, and no others. */
export type Schema = JsonSchema;

export const DATE_TIME: Schema = { type: 'string', format: 'date-time' };
/** A number that PostgreSQL assigns. */
export const ID = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } as const satisfies Schema;
export const PERCENT = { type: 'number', minimum: 0, maximum: 100 } as const satisfies Schema;

/** Schemas that have a name: the document's components. */
export const NAMED_SCHEMAS: Record<string, Schema> = {};

/** Gives a schema a name in the document, by which it is referred to from then on. */
export function named(name: string, schema: Schema): Schema {
  if ((NAMED_SCHEMAS[name] ??= schema) !== schema) throw new Error(`Two schemas are called ${name}.`);
  return refersTo(name);
}

export const referenceTo = ({ name, schema }: NamedSchema): Schema => named(name, schema);

export function refersTo(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** A page of a list that continues with `cursor`. */
export function page(items: Schema): Schema {
  return record({ items: list(items), next_cursor: orNull(STRING) });
}

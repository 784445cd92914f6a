import type { ApiResponseSchemaHost } from '@nestjs/swagger';

/** Schemas of answers, as short as they can be written. Every member that is there is named; nothing else is. */
export type Schema = ApiResponseSchemaHost['schema'];

export const STRING: Schema = { type: 'string' };
export const INTEGER: Schema = { type: 'integer' };
export const NUMBER: Schema = { type: 'number' };
export const BOOLEAN: Schema = { type: 'boolean' };
export const DATE_TIME: Schema = { type: 'string', format: 'date-time' };
export const ANYTHING: Schema = {};
/** A number that PostgreSQL gives out. */
export const ID = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } as const satisfies Schema;
export const COUNT: Schema = { type: 'integer', format: 'int64', minimum: 0 };
export const PERCENT = { type: 'number', minimum: 0, maximum: 100 } as const satisfies Schema;

/** Those that have a name: the document's components. */
export const NAMED_SCHEMAS: Record<string, Schema> = {};

/** Gives a schema a name in the document, under which it is referred to from then on. */
export function named(name: string, schema: Schema): Schema {
  if (name in NAMED_SCHEMAS) throw new Error(`Two schemas are called ${name}.`);
  NAMED_SCHEMAS[name] = schema;
  return refersTo(name);
}

export function refersTo(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function record(required: Record<string, Schema>, optional: Record<string, Schema> = {}): Schema {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  } as Schema;
}

export function list(items: Schema): Schema {
  return { type: 'array', items } as Schema;
}

export function dictionary(values: Schema): Schema {
  return { type: 'object', additionalProperties: values } as Schema;
}

export function orNull(schema: Schema): Schema {
  if ('type' in schema && typeof schema.type === 'string' && !schema.enum)
    return { ...schema, type: [schema.type, 'null'] };
  return { anyOf: [schema, { type: 'null' }] };
}

export function oneOf(...values: string[]): Schema {
  return { type: 'string', enum: values };
}

/** A page of a list that goes on with `cursor`. */
export function page(items: Schema): Schema {
  return record({ items: list(items), next_cursor: orNull(STRING) });
}

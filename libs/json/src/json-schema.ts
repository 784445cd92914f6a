/** JSON Schemas, as in OpenAPI since 3.1, as short as they can be written. */
export interface JsonSchema {
  // oxlint-disable-next-line typescript/no-explicit-any -- schemas are composed here and read by tools
  readonly [keyword: string]: any;
}

/** One that is in a document under a name of its own. */
export interface NamedSchema {
  readonly name: string;
  readonly schema: JsonSchema;
}

export const STRING: JsonSchema = { type: 'string' };
export const INTEGER: JsonSchema = { type: 'integer' };
export const NUMBER: JsonSchema = { type: 'number' };
export const BOOLEAN: JsonSchema = { type: 'boolean' };
export const ANYTHING: JsonSchema = {};
export const COUNT: JsonSchema = { type: 'integer', format: 'int64', minimum: 0 };

/** An object with these members and no others. */
export function record(
  required: Record<string, JsonSchema>,
  optional: Record<string, JsonSchema> = {},
): JsonSchema {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  };
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

export function dictionary(values: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: values };
}

export function orNull(schema: JsonSchema): JsonSchema {
  if (typeof schema.type === 'string' && !schema.enum) return { ...schema, type: [schema.type, 'null'] };
  return { anyOf: [schema, { type: 'null' }] };
}

export function oneOf(...values: string[]): JsonSchema {
  return { type: 'string', enum: values };
}

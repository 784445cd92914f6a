import type { ApiResponseSchemaHost } from '@nestjs/swagger';

/** Schemas of answers, as short as they can be written. Every member that is there is named; nothing else is. */
export type Schema = ApiResponseSchemaHost['schema'];

export const STRING: Schema = { type: 'string' };
export const INTEGER: Schema = { type: 'integer' };
export const NUMBER: Schema = { type: 'number' };
export const BOOLEAN: Schema = { type: 'boolean' };
export const DATE_TIME: Schema = { type: 'string', format: 'date-time' };
export const ANYTHING: Schema = {};

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
  return { ...schema, nullable: true } as Schema;
}

export function oneOf(...values: string[]): Schema {
  return { type: 'string', enum: values };
}

/** A page of a list that goes on with `cursor`. */
export function page(items: Schema): Schema {
  return record({ items: list(items), next_cursor: orNull(STRING) });
}

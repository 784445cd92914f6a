import { requiredNames, type Column, type ColumnType, type Features } from '#libs/inference';
import { BOOLEAN, NUMBER, oneOf, STRING, type JsonSchema } from '#libs/json';

const TYPES: Record<ColumnType, JsonSchema[]> = {
  numeric: [NUMBER, STRING, BOOLEAN],
  boolean: [BOOLEAN, { type: 'integer', enum: [0, 1] }, oneOf('0', '1', 'true', 'false')],
  categorical: [STRING],
};

/** The model's input schema as the JSON Schema of one row, with an example that works. */
export function featuresSchema(columns: readonly Column[]): JsonSchema {
  return {
    type: 'object',
    required: requiredNames(columns),
    properties: Object.fromEntries(columns.map((column) => [column.name, columnSchema(column)])),
    additionalProperties: true,
    example: exampleOf(columns),
  };
}

function columnSchema(column: Column): JsonSchema {
  const { type, nullable, description, categories, minimum, maximum } = column;
  const [main, ...others] = categories ? listed(categories) : TYPES[type];
  const alternatives = [{ ...main, minimum, maximum }, ...others, ...(nullable ? [{ type: 'null' }] : [])];
  return {
    ...(alternatives.length === 1 ? alternatives[0] : { anyOf: alternatives }),
    description,
    default: column.default,
    example: column.example,
  };
}

/** A category that is a number may be sent as a number or as text. */
function listed(categories: readonly (string | number)[]): JsonSchema[] {
  const numbers = categories.filter((category) => typeof category === 'number');
  return [
    oneOf(...new Set(categories.map(String))),
    ...(numbers.length > 0 ? [{ type: 'number', enum: [...new Set(numbers)] }] : []),
  ];
}

/** A row that works: the columns' own examples, or values the column accepts. */
export function exampleOf(columns: readonly Column[]): Features {
  return Object.fromEntries(columns.map((column) => [column.name, exampleValueOf(column)]));
}

function exampleValueOf(column: Column): unknown {
  const { type, nullable, categories, minimum = -Infinity, maximum = Infinity } = column;
  const given = column.example ?? column.default ?? null;
  if (given !== null || nullable) return given;
  if (type === 'numeric') return Math.min(Math.max(0, minimum), maximum);
  return type === 'boolean' ? false : (categories?.[0] ?? 'text');
}

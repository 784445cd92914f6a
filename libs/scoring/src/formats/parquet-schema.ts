import type { ConvertedType, SchemaElement } from 'hyparquet';
import { listed } from '../messages.js';
import { InputError } from '../order.js';

/** The elements of the columns. @throws InputError naming what is not a column of one value per row */
export function columnsIn(schema: readonly SchemaElement[], path: string): SchemaElement[] {
  const columns: SchemaElement[] = [];
  const nested: string[] = [];
  for (let at = 1; at < schema.length;) {
    const element = schema[at++]!;
    const { name, num_children: children = 0, repetition_type: repetition } = element;
    if (name === undefined) throw new InputError(`${path} is damaged: a column has no name.`);
    if (children > 0 || repetition === 'REPEATED') nested.push(name);
    else columns.push(element);
    // What is below it is part of it.
    for (let below = children; below > 0 && at < schema.length; below--)
      below += schema[at++]!.num_children ?? 0;
  }
  if (nested.length > 0) {
    throw new InputError(
      `${path} has nested columns: ${listed(nested)}. A column has to hold one value a row.`,
    );
  }
  const unknown = columns.filter((element) => !isKnown(element)).map(({ name }) => name);
  if (unknown.length === 0) return columns;
  throw new InputError(
    `${path} has columns of types that are not known: ${listed(unknown)}. Leave them away, or write them as another type.`,
  );
}

/** What the library does not know, it passes on as it is written there, or not at all. */
function isKnown({ type, type_length: length = 0, logical_type: logical }: SchemaElement): boolean {
  if (type === undefined || (type === 'FIXED_LEN_BYTE_ARRAY' && length <= 0)) return false;
  return logical === undefined || (logical.type !== undefined && !OF_GROUPS.has(logical.type));
}

/** They mark columns within a column. */
const OF_GROUPS: ReadonlySet<string> = new Set(['LIST', 'MAP', 'VARIANT']);

/** What the values of a column are written as, without what the schema says about their meaning. */
export function asStored({
  name,
  type,
  type_length,
  repetition_type,
  field_id,
}: SchemaElement): SchemaElement {
  return { name, type: type === 'INT96' ? 'INT64' : type, type_length, repetition_type, field_id };
}

/** What the output's footer says about a column whose values were stored. */
export function asDeclared(element: SchemaElement): SchemaElement {
  const { type, logical_type: meaning } = element;
  if (type === 'INT96') {
    return {
      ...element,
      type: 'INT64',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' },
    };
  }
  // The older word for the same, which the library writes in the way all readers understand.
  if (meaning?.type === 'INTEGER') {
    const converted = `${meaning.isSigned ? '' : 'U'}INT_${meaning.bitWidth}` as ConvertedType;
    return { ...element, logical_type: undefined, converted_type: converted };
  }
  return element;
}

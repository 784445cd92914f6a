import type { KeyValue, SchemaElement } from 'hyparquet';
import type { AddedColumn } from '../table.js';
import { dictionaryFields, withFields } from './arrow-schema.js';

/**
 * What other writers store about a file's columns besides Parquet's own schema, and read again: it stays, with the
 * columns that are added, so that it stays true. If that is impossible it is left out: an incomplete list is wrong.
 */
export function withColumns(
  keyValues: readonly KeyValue[],
  columns: number,
  added: readonly AddedColumn[],
): KeyValue[] {
  return keyValues.flatMap(({ key, value }) => {
    const extend = EXTENDED[key];
    const extended = extend && value !== undefined ? extend(value, columns, added) : value;
    return key === undefined || extended === undefined || OF_ALL_COLUMNS.has(key)
      ? []
      : [{ key, value: extended }];
  });
}

/** The places of the columns that Arrow or pandas reads as categories. */
export function categoricalColumns(
  keyValues: readonly KeyValue[],
  columns: readonly SchemaElement[],
): ReadonlySet<number> {
  const arrow = keyValues.find(({ key }) => key === 'ARROW:schema')?.value;
  const pandas = keyValues.find(({ key }) => key === 'pandas')?.value;
  const names = new Set(
    (listIn(pandas, 'columns') as PandasColumn[]).flatMap((column) =>
      column?.pandas_type === 'categorical' ? [column.field_name ?? column.name] : [],
    ),
  );
  const byPandas = columns.flatMap(({ name }, place) => (names.has(name) ? [place] : []));
  return new Set([...(arrow === undefined ? [] : dictionaryFields(arrow, columns.length)), ...byPandas]);
}

type PandasColumn = { name?: string; field_name?: string; pandas_type?: string } | null;

function listIn(text: string | undefined, list: string): unknown[] {
  let found: unknown[] = [];
  changed(text ?? '', list, (all) => (found = all));
  return found;
}

type Extend = (value: string, columns: number, added: readonly AddedColumn[]) => string | undefined;

const EXTENDED: Record<string, Extend | undefined> = {
  'ARROW:schema': withFields,
  pandas: (value, _, added) =>
    changed(value, 'columns', (columns) => [
      ...columns,
      ...added.map(({ name, type }) => ({ name, field_name: name, ...PANDAS[type], metadata: null })),
    ]),
  'org.apache.spark.sql.parquet.row.metadata': (value, _, added) =>
    changed(value, 'fields', (fields) => [
      ...fields,
      ...added.map(({ name, type }) => ({ name, type: SPARK[type], nullable: true, metadata: {} })),
    ]),
};

/** Other writers' schemas, which list all columns; those writers can do without. */
const OF_ALL_COLUMNS = new Set([
  'parquet.avro.schema',
  'avro.schema',
  'iceberg.schema',
  'parquet.proto.descriptor',
]);

const PANDAS = {
  float32: { pandas_type: 'float32', numpy_type: 'float32' },
  float64: { pandas_type: 'float64', numpy_type: 'float64' },
  integer: { pandas_type: 'int32', numpy_type: 'int32' },
  string: { pandas_type: 'unicode', numpy_type: 'object' },
} as const satisfies Record<AddedColumn['type'], object>;

const SPARK = { float32: 'float', float64: 'double', integer: 'integer', string: 'string' } as const;

/** A JSON object with one of its lists changed; undefined if it is not an object. */
function changed(text: string, list: string, change: (list: unknown[]) => unknown[]): string | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    return Array.isArray(value[list]) ? JSON.stringify({ ...value, [list]: change(value[list]) }) : undefined;
  } catch {
    return undefined;
  }
}

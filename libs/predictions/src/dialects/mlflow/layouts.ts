import { Problem } from '#libs/errors';
import { requiredNames, type Column, type Features } from '#libs/inference';
import { isObject } from '#libs/json';
import { lookAlikesOf, repeatedIn, tellLookAlikes } from '../column-names.js';
import { refuseTooManyColumns, refuseTooManyRows } from '../row-limits.js';

/**
 * The four of MLflow's protocol, and our own `data`: another name for `instances` or, with `columns` next to it,
 * the split that pandas writes.
 */
const LAYOUTS = ['dataframe_split', 'dataframe_records', 'instances', 'inputs', 'data'] as const;

const REQUIRED = `The input must be a JSON dictionary with exactly one of the input fields ${LAYOUTS.join(', ')}`;

/** The table in a body, as one feature dictionary per row. @throws Problem `bad-request` in MLflow's words */
export function readLayout(body: unknown, columns: readonly Column[]): Features[] {
  if (!isObject(body)) throw Problem.badRequest(`${REQUIRED}.`);
  const layout = layoutIn(body);
  const value = body[layout];
  switch (layout) {
    case 'dataframe_split':
      return fromSplit(value, columns);
    case 'dataframe_records':
      if (Array.isArray(value)) return fromRecords(layout, value, columns);
      throw Problem.badRequest(
        `Dataframe records format must be a list of records. Got ${pythonType(value)}.`,
      );
    case 'inputs':
    case 'instances':
      if (isObject(value)) return fromColumns(layout, value, columns);
  }
  if (!Array.isArray(value)) {
    throw Problem.badRequest(
      `"${layout}" must be a list of rows${layout === 'data' ? '' : ', or of columns by name'}.`,
    );
  }
  if (layout === 'data' && Object.hasOwn(body, 'columns')) {
    return fromNamed(layout, body.columns, value, columns);
  }
  return value.some(isObject) ? fromRecords(layout, value, columns) : fromRows(layout, value, columns);
}

/** @throws Problem `bad-request` if there is none, or more than one */
export function layoutIn(body: Features): (typeof LAYOUTS)[number] {
  const [layout, another] = LAYOUTS.filter((name) => Object.hasOwn(body, name));
  if (layout && !another) return layout;
  throw Problem.badRequest(`${REQUIRED}; it has ${another ? 'several' : 'none'}.`);
}

/** How many rows a body has, before it is known to be readable. */
export function rowsIn(body: unknown): number {
  if (!isObject(body)) return 1;
  return Math.max(
    1,
    ...LAYOUTS.filter((name) => Object.hasOwn(body, name)).map((name) => lengthOf(body[name])),
  );
}

function lengthOf(table: unknown): number {
  if (Array.isArray(table)) return table.length;
  if (!isObject(table)) return 1;
  // A split, or columns by name.
  const [first] = Object.values(table);
  const rows = table.data ?? first;
  return Array.isArray(rows) ? rows.length : 1;
}

/**
 * When records lack one column each, MLflow would not say which.
 * @param inSome columns that only some rows lack, and the first row that does
 */
export function missingInputs(
  inAll: readonly string[],
  inSome: ReadonlyMap<string, number>,
  lookAlikes: Iterable<string | undefined>,
): Problem {
  const parts = inAll.length > 0 ? [pythonList(inAll)] : [];
  const meant = tellLookAlikes(lookAlikes);
  if (inSome.size === 0) return invalidValue(`Model is missing inputs ${parts[0]}.${meant}`);
  const first = [...inSome].map(([name, row]) => `${name} (row ${row})`).join(', ');
  parts.push(`${pythonList([...inSome.keys()])} in some rows, first: ${first}`);
  return invalidValue(`Model is missing inputs ${parts.join('; and ')}. Rows are counted from 0.${meant}`);
}

export function invalidValue(message: string): Problem {
  return new Problem('bad-request', message, { members: { error_code: 'INVALID_PARAMETER_VALUE' } });
}

/** `['a', "b's"]`, as Python writes it. */
export function pythonList(names: readonly string[]): string {
  const quoted = names.map((name) => {
    const escaped = name.replaceAll('\\', '\\\\');
    return name.includes("'") && !name.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
  });
  return `[${quoted.join(', ')}]`;
}

function fromSplit(value: unknown, columns: readonly Column[]): Features[] {
  if (!isObject(value)) {
    throw Problem.badRequest(`Dataframe split format must be a dictionary. Got ${pythonType(value)}.`);
  }
  const { data, columns: names, index } = value;
  if (!Array.isArray(data) || !Object.keys(value).every((key) => /^(columns|data|index)$/.test(key))) {
    throw Problem.badRequest(
      "Dataframe split format must have a list 'data', and optionally 'columns' and 'index', and nothing else.",
    );
  }
  if (Array.isArray(index) && index.length !== data.length) {
    throw notDataframe('dataframe_split', `'index' has ${index.length} entries, and 'data' ${data.length}`);
  }
  return fromNamed('dataframe_split', names, data, columns);
}

/** A split's rows; in the model's order if it names no columns. */
function fromNamed(
  layout: string,
  names: unknown,
  rows: readonly unknown[],
  columns: readonly Column[],
): Features[] {
  if (names === undefined || names === null) return fromRows(layout, rows, columns);
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' || typeof name === 'number')) {
    throw notDataframe(layout, "'columns' must be a list of names");
  }
  return fromTable(layout, names.map(String), rows, columns);
}

/** Positional rows: the columns in the model's order. */
function fromRows(layout: string, rows: readonly unknown[], columns: readonly Column[]): Features[] {
  // A list of plain values is a table of one column.
  refuseTooManyRows(rows.length);
  const table = rows.map((row) => (Array.isArray(row) ? row : [row]));
  return fromTable(
    layout,
    columns.map(({ name }) => name),
    table,
    columns,
  );
}

function fromTable(
  layout: string,
  given: readonly string[],
  rows: readonly unknown[],
  columns: readonly Column[],
): Features[] {
  refuseTooManyRows(rows.length);
  refuseTooManyColumns(given.length, columns);
  if (repeatedIn(given) !== undefined) throw notDataframe(layout, 'two of its columns have one name');
  const names = nameLike(given, columns);
  if (rows.length === 0) refuseAbsent(names, columns);
  const booleans = new Set(columns.flatMap(({ name, type }) => (type === 'boolean' ? [name] : [])));
  const isBoolean = names.map((name) => booleans.has(name));
  return rows.map((row, index) => {
    if (Array.isArray(row) && row.length === names.length) {
      return Object.fromEntries(
        names.map((name, column) => [name, isBoolean[column] ? toFlag(row[column]) : row[column]]),
      );
    }
    const found = Array.isArray(row) ? `has ${row.length}` : 'is no list';
    throw notDataframe(layout, `row ${index} ${found}, and there are ${names.length} columns`);
  });
}

/** If a column of zeros and ones has gaps, pandas writes it as floats. */
function toFlag(cell: unknown): unknown {
  return cell === '0.0' || cell === '1.0' ? Number(cell) : cell;
}

function fromRecords(layout: string, records: readonly unknown[], columns: readonly Column[]): Features[] {
  refuseTooManyRows(records.length);
  const wrong = records.findIndex((record) => !isObject(record));
  if (wrong >= 0)
    throw notDataframe(layout, `row ${wrong} is not a record with one value per column, by name`);
  const features = records as Features[];
  const given = Object.keys(features[0] ?? {});
  const names = nameLike(given, columns);
  if (names === given) return features;
  return features.map((record) =>
    Object.fromEntries(
      Object.entries(record).map(([name, value]) => [names[given.indexOf(name)] ?? name, value]),
    ),
  );
}

function fromColumns(layout: string, value: Features, columns: readonly Column[]): Features[] {
  const given = Object.keys(value);
  const lists = Object.values(value);
  // One value per column is one row.
  if (lists.length > 0 && !lists.some(Array.isArray)) return fromRecords(layout, [value], columns);
  const [first] = lists;
  const count = Array.isArray(first) ? first.length : 0;
  if (!lists.every((list) => Array.isArray(list) && list.length === count)) {
    throw Problem.badRequest('The length of values for each input/column name are not the same.');
  }
  refuseTooManyRows(count);
  const rows = Array.from({ length: count }, (_, row) => lists.map((list) => (list as unknown[])[row]));
  return fromTable(layout, given, rows, columns);
}

/** A table without names of its own, whose columns pandas numbers 0, 1, 2 …, is read in the model's order. */
export function nameLike(given: readonly string[], columns: readonly Column[]): readonly string[] {
  const isNumbered = given.length === columns.length && given.every((name, index) => name === String(index));
  if (!isNumbered || columns.some(({ name }) => given.includes(name))) return given;
  return columns.map(({ name }) => name);
}

/** For a table without rows; if there are rows, coercing them finds what is absent. */
function refuseAbsent(names: readonly string[], columns: readonly Column[]): void {
  const absent = requiredNames(columns).filter((name) => !names.includes(name));
  if (absent.length === 0) return;
  const lookAlikes = lookAlikesOf(names, columns);
  throw missingInputs(
    absent,
    new Map(),
    absent.map((name) => lookAlikes.tell(name)),
  );
}

function notDataframe(layout: string, why: string): Problem {
  const field = layout.startsWith('dataframe_') ? 'dataframe representation' : 'table';
  return Problem.badRequest(`Provided ${layout} field is not a valid ${field}: ${why}.`);
}

function pythonType(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return isObject(value) ? 'dictionary' : 'neither';
}

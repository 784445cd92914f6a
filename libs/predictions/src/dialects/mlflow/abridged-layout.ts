import type { Column } from '#libs/inference';
import { isObject } from '#libs/json';
import { isColumnOf } from '../column-names.js';
import { Allowance, type LeftOut } from '../excess.js';
import { layoutIn, nameLike } from './layouts.js';

type Members = Record<string, unknown>;

/** An answered body, for the record: its table with the columns of the model, and as much of the rest as there is room for. */
export function abridgeLayout(body: Members, columns: readonly Column[], leftOut: LeftOut): Members {
  const layout = layoutIn(body);
  if (layout === 'data' && Object.hasOwn(body, 'columns')) return abridgeSplit(body, columns, leftOut);
  const table = abridgeTable(layout, body[layout], columns, leftOut);
  return new Allowance(leftOut).membersOf({ ...body, [layout]: table }, (name) => name === layout);
}

function abridgeTable(layout: string, table: unknown, columns: readonly Column[], leftOut: LeftOut): unknown {
  if (layout === 'dataframe_split') return abridgeSplit(table as Members, columns, leftOut);
  if (Array.isArray(table)) {
    if (!table.some(isObject)) return table;
    const isTaken = isColumn(Object.keys(table[0]), columns);
    return table.map((record) => new Allowance(leftOut).membersOf(record, isTaken));
  }
  const byColumn = table as Members;
  const [first] = Object.values(byColumn);
  const rows = Array.isArray(first) ? first.length : 1;
  return new Allowance(leftOut, rows).membersOf(byColumn, isColumn(Object.keys(byColumn), columns));
}

/** Everything but the rows, such as an index, has an allowance of its own. */
function abridgeSplit(split: Members, columns: readonly Column[], leftOut: LeftOut): Members {
  const { data, columns: given } = split as { data: unknown[][]; columns?: unknown[] | null };
  const around = (whole: Members) =>
    new Allowance(leftOut).membersOf(whole, (name) => name === 'data' || name === 'columns');
  if (!given) return around(split);
  const names = given.map(String);
  const isTaken = isColumn(names, columns);
  const allowance = new Allowance(leftOut, data.length);
  const cellsOf = (column: number) => data.map((row) => row[column]);
  const isKept = names.map((name, column) => isTaken(name) || allowance.admits(name, cellsOf(column)));
  const keptOf = (row: readonly unknown[]) => row.filter((_, column) => isKept[column]);
  return around(
    isKept.includes(false) ? { ...split, columns: keptOf(given), data: data.map(keptOf) } : split,
  );
}

/** Whether a name is a column of the model; in a table without names, every column is. */
function isColumn(given: readonly string[], columns: readonly Column[]): (name: string) => boolean {
  return nameLike(given, columns) === given ? isColumnOf(columns) : () => true;
}

import Papa from 'papaparse';
import { formatNumber } from '#libs/inference';
import { DELIMITERS } from '../file-format.js';
import type { AddedColumn, AddedValues, Table } from '../table.js';
import { DelimitedTable } from './delimited-table.js';

/** A column that is added, with its values. */
export type Added = readonly (AddedColumn & { readonly at: AddedValues })[];

/** Rows of a table, with what is added to them, as text. @throws OutgrownError */
export type TextWriter = (table: Table, added: Added, rows: Iterable<number>) => string;

/** Rows that are small when they are read, and very large when they are written. */
export class OutgrownError extends Error {}

export function delimitedWriter(
  format: keyof typeof DELIMITERS,
  newline: string,
  hasColumns: boolean,
  maxCharacters: number,
): TextWriter {
  const delimiter = DELIMITERS[format];
  return (table, added, rows) => {
    const originals = table instanceof DelimitedTable && table.delimiter === delimiter ? table : undefined;
    let text = '';
    for (const row of rows) {
      text += originals?.textOf(row) ?? writeFields(table.fields(row), delimiter);
      let separator = hasColumns ? delimiter : '';
      for (const { type, at } of added) {
        const value = at(row);
        text += separator;
        separator = delimiter;
        if (value !== null)
          text += type === 'string' ? writeField(value as string, delimiter) : numeral(type, value);
      }
      text += newline;
      if (text.length > maxCharacters) throw new OutgrownError();
    }
    return text;
  };
}

export function writeFields(fields: readonly string[], delimiter: string): string {
  return fields.map((field) => writeField(field, delimiter)).join(delimiter);
}

/** Most fields need no quotes, and looking first is quicker. */
function writeField(field: string, delimiter: string): string {
  return /["\r\n\t,]|^\s|\s$/.test(field) ? Papa.unparse([[field]], { delimiter }) : field;
}

export function jsonLinesWriter(maxCharacters: number): TextWriter {
  return (table, added, rows) => {
    const names = added.map(({ name }) => JSON.stringify(name));
    let text = '';
    for (const row of rows) {
      const members = table.members(row);
      text += members === '' ? '{' : `{${members},`;
      for (const [index, { type, at }] of added.entries()) {
        const value = at(row);
        const json = value === null || type === 'string' ? JSON.stringify(value) : numeral(type, value);
        text += `${index > 0 ? ',' : ''}${names[index]}:${json}`;
      }
      text += '}\n';
      if (text.length > maxCharacters) throw new OutgrownError();
    }
    return text;
  };
}

function numeral(type: AddedColumn['type'], value: number | string): string {
  return type === 'integer' ? String(value) : formatNumber(value as number);
}

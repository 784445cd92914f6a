import { DELIMITERS } from '../file-format.js';
import type { AddedColumn, AddedValues, Table } from '../table.js';
import { ByteText } from './byte-text.js';
import { PlainTable } from './plain-table.js';

/** What a prediction and its error usually take; more is made room for. */
const USUAL_ADDED_BYTES = 32;

/** A column that is added, with its values. */
export type Added = readonly (AddedColumn & { readonly at: AddedValues })[];

/** Rows of a table, with what is added to them, as text. @throws OutgrownError */
export type TextWriter = (table: Table, added: Added, rows: readonly number[]) => Uint8Array;

export function delimitedWriter(
  format: keyof typeof DELIMITERS,
  newline: string,
  hasColumns: boolean,
  maxBytes: number,
): TextWriter {
  const delimiter = DELIMITERS[format];
  return (table, added, rows) => {
    const plain = table instanceof PlainTable && table.delimiter === delimiter ? table : undefined;
    const written = new ByteText((plain?.view.byteLength ?? 0) + rows.length * USUAL_ADDED_BYTES, maxBytes);
    for (const row of rows) {
      if (plain && plain.fieldsIn(row) <= plain.width) {
        written.copy(plain.view, plain.startOf(row), plain.endOf(row));
        for (let field = plain.fieldsIn(row); field < plain.width; field++) written.text(delimiter);
      } else {
        written.text(writeFields(table.fields(row), delimiter));
      }
      for (let column = 0; column < added.length; column++) {
        const value = added[column]!.at(row);
        if (hasColumns || column > 0) written.text(delimiter);
        if (typeof value === 'number') written.number(value);
        else if (value !== null) written.text(writeField(value, delimiter));
      }
      written.text(newline);
    }
    return written.whole();
  };
}

export function writeFields(fields: readonly string[], delimiter: string): string {
  return fields.map((field) => writeField(field, delimiter)).join(delimiter);
}

/** RFC 4180; white space and a byte order mark at an edge would be lost in some readers. */
function writeField(field: string, delimiter: string): string {
  const needsQuotes = /["\r\n]|^[ \uFEFF]|[ \uFEFF]$/.test(field) || field.includes(delimiter);
  return needsQuotes ? `"${field.replaceAll('"', '""')}"` : field;
}

export function jsonLinesWriter(maxBytes: number): TextWriter {
  return (table, added, rows) => {
    const names = added.map(({ name }) => `${JSON.stringify(name)}:`);
    const written = new ByteText(rows.length * USUAL_ADDED_BYTES, maxBytes);
    for (const row of rows) {
      const members = table.members(row);
      written.text(members === '' ? '{' : `{${members},`);
      for (const [index, { at }] of added.entries()) {
        const value = at(row);
        if (index > 0) written.text(',');
        written.text(names[index]!);
        if (typeof value === 'number') written.number(value);
        else written.text(JSON.stringify(value));
      }
      written.text('}\n');
    }
    return written.whole();
  };
}

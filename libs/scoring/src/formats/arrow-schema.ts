import type { AddedColumn } from '../table.js';

/**
 * What Arrow keeps about a table's types besides Parquet's own (`ARROW:schema`): a message of its streams, in base64,
 * whose body is a Flatbuffer. It has a field for each column, so columns that are added need fields as well: without
 * them pyarrow reads beyond its end.
 *
 * Only the positions of what is there are read, so that types of all kinds stay what they are. A Flatbuffer points
 * forwards only: a new root, with a list of the old fields and the new ones, is put before the old bytes, and the old
 * root is no longer reached.
 *
 * https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format, Message.fbs, Schema.fbs,
 * https://flatbuffers.dev/internals/
 */
const CONTINUATION = 0xffff_ffff;
/** The positions of fields in their tables (Message.fbs, Schema.fbs). */
const MESSAGE = { version: 0, headerType: 1, header: 2 };
const SCHEMA = { endianness: 0, fields: 1, metadata: 2, features: 3 };
const FIELD = { dictionary: 4 };
const SCHEMA_HEADER = 1;

/** The places of the columns that are dictionaries; none if it cannot be read, or has a different number of columns. */
export function dictionaryFields(encoded: string, columns: number): number[] {
  return (
    reading(encoded, columns, (bytes, fields) =>
      Array.from({ length: columns }, (_, place) => place).filter((place) => {
        const field = followed(bytes, fields + 4 + 4 * place)!;
        return fieldAt(bytes, field, FIELD.dictionary) !== undefined;
      }),
    ) ?? []
  );
}

/** @returns undefined if it cannot be read, or has a different number of columns */
export function withFields(
  encoded: string,
  columns: number,
  added: readonly AddedColumn[],
): string | undefined {
  return reading(encoded, columns, (old, fields, head) => {
    const body = extended(old, fields, added);
    const size = Buffer.from(head);
    size.writeInt32LE(body.length, head.length - 4);
    return Buffer.concat([size, body]).toString('base64');
  });
}

/** `read` gets the Flatbuffer, where its list of this many fields is, and what comes before it. */
function reading<T>(
  encoded: string,
  columns: number,
  read: (bytes: Buffer, fields: number, head: Buffer) => T,
): T | undefined {
  try {
    const message = Buffer.from(encoded, 'base64');
    // Before Arrow 0.15 only the size came before it.
    const start = message.readUInt32LE(0) === CONTINUATION ? 8 : 4;
    const bytes = message.subarray(start, start + message.readInt32LE(start - 4));
    const root = bytes.readUInt32LE(0);
    const headerType = fieldAt(bytes, root, MESSAGE.headerType);
    if (headerType === undefined || bytes.readUInt8(headerType) !== SCHEMA_HEADER) return undefined;
    const fields = followed(bytes, fieldAt(bytes, schemaIn(bytes), SCHEMA.fields));
    if (fields === undefined || bytes.readUInt32LE(fields) !== columns) return undefined;
    return read(bytes, fields, message.subarray(0, start));
  } catch (error) {
    // A position beyond its end.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function schemaIn(bytes: Buffer): number {
  return followed(bytes, fieldAt(bytes, bytes.readUInt32LE(0), MESSAGE.header)) ?? NaN;
}

function extended(old: Buffer, fields: number, added: readonly AddedColumn[]): Buffer {
  const root = old.readUInt32LE(0);
  const header = schemaIn(old);
  const columns = old.readUInt32LE(fields);
  const shortAt = (at: number | undefined) => (at === undefined ? 0 : old.readInt16LE(at));
  const metadata = followed(old, fieldAt(old, header, SCHEMA.metadata));
  const features = followed(old, fieldAt(old, header, SCHEMA.features));

  const out = new Layout();
  const [toSchema] = out.table(out.pointer(), [
    ['short', shortAt(fieldAt(old, root, MESSAGE.version))],
    ['byte', SCHEMA_HEADER],
    ['pointer'],
  ]);
  const [toFields, ...others] = out.table(toSchema!, [
    ['short', shortAt(fieldAt(old, header, SCHEMA.endianness))],
    ['pointer'],
    metadata === undefined ? ['none'] : ['pointer'],
    features === undefined ? ['none'] : ['pointer'],
  ]);
  const toEach = out.vector(toFields!, columns + added.length);
  for (const [index, { name, type }] of added.entries()) {
    const { id, properties } = TYPES[type];
    // Its name, that it may be null, its type, no dictionary, no children.
    const field: Property[] = [['pointer'], ['byte', 1], ['byte', id], ['pointer'], ['none'], ['pointer']];
    const [toName, toType, toChildren] = out.table(toEach[columns + index]!, field);
    out.text(toName!, name);
    out.table(toType!, properties);
    out.vector(toChildren!, 0);
  }
  const behind = out.align(8);
  for (let index = 0; index < columns; index++) {
    out.point(toEach[index]!, behind + followed(old, fields + 4 + 4 * index)!);
  }
  const kept = [metadata, features].filter((place) => place !== undefined);
  for (const [index, place] of kept.entries()) out.point(others[index]!, behind + place);
  return Buffer.concat([out.bytes, old, Buffer.alloc(-old.length & 7)]);
}

/** The members of the union of Arrow's types, and their fields (Schema.fbs). */
const TYPES: Record<AddedColumn['type'], { id: number; properties: readonly Property[] }> = {
  float32: { id: 3, properties: [['short', 1]] },
  float64: { id: 3, properties: [['short', 2]] },
  integer: {
    id: 2,
    properties: [
      ['int', 32],
      ['byte', 1],
    ],
  },
  string: { id: 5, properties: [] },
};

/** Where a table has this field; undefined if it has none. */
function fieldAt(bytes: Buffer, table: number, field: number): number | undefined {
  const names = table - bytes.readInt32LE(table);
  const entry = 4 + 2 * field;
  const offset = entry < bytes.readUInt16LE(names) ? bytes.readUInt16LE(names + entry) : 0;
  return offset === 0 ? undefined : table + offset;
}

/** What a pointer there points to. */
function followed(bytes: Buffer, pointer: number | undefined): number | undefined {
  return pointer === undefined ? undefined : pointer + bytes.readUInt32LE(pointer);
}

type Property = readonly ['pointer'] | readonly ['none'] | readonly ['int' | 'short' | 'byte', number];

const SIZES = { pointer: 4, int: 4, short: 2, byte: 1, none: 0 };

/** Bytes of a Flatbuffer, written in the order in which they point to one another. */
class Layout {
  private readonly data: number[] = [];

  get bytes(): Buffer {
    return Buffer.from(this.data);
  }

  /** Pads to a multiple. @returns the position after it */
  align(size: number): number {
    while (this.data.length % size !== 0) this.data.push(0);
    return this.data.length;
  }

  /** Room for a pointer. @returns where it is */
  pointer(): number {
    const at = this.align(4);
    this.put(0, 4);
    return at;
  }

  point(pointer: number, target: number): void {
    for (let byte = 0; byte < 4; byte++)
      this.data[pointer + byte] = ((target - pointer) >>> (8 * byte)) & 0xff;
  }

  /** @returns where the pointers among its properties are */
  table(from: number, properties: readonly Property[]): number[] {
    const bySize = properties
      .map((property, field) => ({ property, field, size: SIZES[property[0]] }))
      .toSorted((a, b) => b.size - a.size);
    const offsets = new Map<number, number>();
    let size = 4;
    for (const { field, size: ofField } of bySize) {
      offsets.set(field, ofField === 0 ? 0 : size);
      size += ofField;
    }
    const names = this.align(4);
    this.put(4 + 2 * properties.length, 2);
    this.put((size + 3) & ~3, 2);
    for (const field of properties.keys()) this.put(offsets.get(field)!, 2);
    const at = this.align(4);
    this.point(from, at);
    this.put(at - names, 4);
    for (const { property, size: ofField } of bySize) this.put(property[1] ?? 0, ofField);
    this.align(4);
    return [...properties.entries()].flatMap(([field, [kind]]) =>
      kind === 'pointer' ? [at + offsets.get(field)!] : [],
    );
  }

  /** Writes a vector of pointers. @returns where they are */
  vector(from: number, length: number): number[] {
    this.point(from, this.align(4));
    this.put(length, 4);
    return Array.from({ length }, () => this.pointer());
  }

  text(from: number, text: string): void {
    const bytes = Buffer.from(text);
    this.point(from, this.align(4));
    this.put(bytes.length, 4);
    for (const byte of bytes) this.data.push(byte);
    this.data.push(0);
  }

  private put(value: number, size: number): void {
    for (let byte = 0; byte < size; byte++) this.data.push((value >>> (8 * byte)) & 0xff);
  }
}

/**
 * Columns as arrays in PostgreSQL's binary format, one parameter each: a statement's input for a batch of rows,
 * with no text to write here and none to parse there (array_recv in the server's arrayfuncs.c).
 */
export class BinaryArrays {
  private static readonly HEADER_BYTES = 20;

  /** One for all: its contents are copied before the next array is made. */
  private scratch = Buffer.allocUnsafe(FIRST_BYTES);
  private length = 0;

  int2(values: readonly number[]): Buffer {
    return this.fixed(OID.int2, 2, values, (value) => this.scratch.writeInt16BE(value, this.length));
  }

  int4(values: readonly (number | null)[]): Buffer {
    return this.fixed(OID.int4, 4, values, (value) => this.scratch.writeInt32BE(value, this.length));
  }

  float4(values: readonly number[]): Buffer {
    return this.fixed(OID.float4, 4, values, (value) => this.scratch.writeFloatBE(value, this.length));
  }

  /** Lone surrogates become U+FFFD, as in every UTF-8 text. */
  text(values: readonly (string | null)[]): Buffer {
    return this.texts(OID.text, values);
  }

  /** An array of JSON texts. */
  jsonb(values: readonly string[]): Buffer {
    return this.texts(OID.jsonb, values, JSONB_VERSION);
  }

  private fixed<Value>(
    oid: number,
    bytes: number,
    values: readonly (Value | null)[],
    write: (value: Value) => void,
  ): Buffer {
    this.begin(oid, values.length, values.length * (4 + bytes));
    for (const value of values) {
      this.length = this.scratch.writeInt32BE(value === null ? -1 : bytes, this.length);
      if (value === null) continue;
      write(value);
      this.length += bytes;
    }
    return this.end();
  }

  private texts(oid: number, values: readonly (string | null)[], version?: number): Buffer {
    let most = 0;
    for (const value of values) most += 5 + (value === null ? 0 : atMostBytes(value));
    this.begin(oid, values.length, most);
    for (const value of values) {
      let end = this.length + 4;
      if (value !== null) {
        if (version !== undefined) end = this.scratch.writeUInt8(version, end);
        end += this.scratch.write(value, end);
      }
      this.scratch.writeInt32BE(value === null ? -1 : end - this.length - 4, this.length);
      this.length = end;
    }
    return this.end();
  }

  /** One dimension with indexes from 1, of elements that may be null. */
  private begin(oid: number, count: number, bytes: number): void {
    const needed = BinaryArrays.HEADER_BYTES + bytes;
    if (this.scratch.length < needed) this.scratch = Buffer.allocUnsafe(needed * 2);
    else if (this.scratch.length > LARGEST_KEPT_BYTES)
      this.scratch = Buffer.allocUnsafe(Math.max(needed, FIRST_BYTES));
    this.length = 0;
    for (const number of [1, 1, oid, count, 1]) this.length = this.scratch.writeInt32BE(number, this.length);
  }

  private end(): Buffer {
    return Buffer.from(this.scratch.subarray(0, this.length));
  }
}

/** Sizes of the scratch buffer: what one large batch needed is not kept forever. */
const FIRST_BYTES = 64 * 1024;
const LARGEST_KEPT_BYTES = 4 * 1024 ** 2;

const JSONB_VERSION = 1;

/** An upper bound that costs nothing for short texts; long ones are measured, so as not to take three times as much. */
function atMostBytes(text: string): number {
  return text.length < 1024 ? text.length * 3 : Buffer.byteLength(text);
}

/** pg_type.oid of the elements, the same in every server. */
const OID = { int2: 21, int4: 23, text: 25, float4: 700, jsonb: 3802 } as const;

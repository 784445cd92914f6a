/** One field of a message: a number, or the bytes of a text, a message or packed numbers. */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH_DELIMITED = 2;
const FOUR_BYTES = 5;

/**
 * The fields of a message as they are in its bytes (https://protobuf.dev/programming-guides/encoding), without its
 * schema. Numbers of fixed size are skipped; those beyond 2^53, such as negative ones, lose their last digits.
 * @throws Error if it is not a message
 */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        yield { number, value: reader.varint() };
        break;
      case EIGHT_BYTES:
        reader.take(8);
        break;
      case LENGTH_DELIMITED:
        yield { number, value: reader.take(reader.varint()) };
        break;
      case FOUR_BYTES:
        reader.take(4);
        break;
      default:
        throw new Error('a field has an unknown type');
    }
  }
}

/** The numbers of a field that may be repeated, packed or one at a time. */
export function numbersIn(value: Field['value']): number[] {
  if (typeof value === 'number') return [value];
  const reader = new Reader(value);
  const numbers: number[] = [];
  while (!reader.isAtEnd) numbers.push(reader.varint());
  return numbers;
}

class Reader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new Error('it is cut off');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      if (scale > 2 ** 63) throw new Error('a number has more than ten bytes');
    }
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Error('it is cut off');
    return this.bytes.subarray(this.at, (this.at += length));
  }
}

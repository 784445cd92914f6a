import type { ElementType } from '#libs/inference';

/** An element of a tensor as JSON holds it; null is a missing value. */
export type Element = number | string | boolean | null;

export interface Datatype {
  /** Bytes of an element; undefined if each gives its own length. */
  readonly size?: number;
  /** An element as binary data holds it: little-endian, row after row. */
  decode(view: DataView, offset: number): Element;
  /** Whether a value in JSON is one of these; `what` describes them for people. */
  fits(value: unknown): boolean;
  readonly what: string;
}

/** What a graph's tensors are called. */
export const DATATYPE_OF: Record<ElementType, string> = {
  float32: 'FP32',
  float64: 'FP64',
  int64: 'INT64',
  int32: 'INT32',
  bool: 'BOOL',
  string: 'BYTES',
};

/** Beyond these JSON's numbers, which are read as doubles, would lose digits. */
const [SAFE_MINIMUM, SAFE_MAXIMUM] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Every datatype of the protocol, and BF16, which is Triton's. */
const BY_NAME: Record<string, Datatype> = {
  BOOL: {
    size: 1,
    decode: (view, offset) => view.getUint8(offset) !== 0,
    fits: (value) => typeof value === 'boolean',
    what: 'true or false',
  },
  UINT8: whole(1, 0, 255, (view, offset) => view.getUint8(offset)),
  UINT16: whole(2, 0, 65_535, (view, offset) => view.getUint16(offset, true)),
  UINT32: whole(4, 0, 2 ** 32 - 1, (view, offset) => view.getUint32(offset, true)),
  UINT64: whole(8, 0, SAFE_MAXIMUM, (view, offset) => exact(view.getBigUint64(offset, true))),
  INT8: whole(1, -128, 127, (view, offset) => view.getInt8(offset)),
  INT16: whole(2, -32_768, 32_767, (view, offset) => view.getInt16(offset, true)),
  INT32: whole(4, -(2 ** 31), 2 ** 31 - 1, (view, offset) => view.getInt32(offset, true)),
  INT64: whole(8, SAFE_MINIMUM, SAFE_MAXIMUM, (view, offset) => exact(view.getBigInt64(offset, true))),
  BF16: floating(2, 3.3895313892515355e38, (view, offset) => toBfloat16(view.getUint16(offset, true))),
  FP16: floating(2, 65_504, (view, offset) => toFloat16(view.getUint16(offset, true))),
  FP32: floating(4, 3.4028234663852886e38, (view, offset) => view.getFloat32(offset, true)),
  FP64: floating(8, Number.MAX_VALUE, (view, offset) => view.getFloat64(offset, true)),
  BYTES: {
    decode: (view, offset) => {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + 4, view.getUint32(offset, true));
      return utf8.decode(bytes);
    },
    fits: (value) => typeof value === 'string',
    what: 'strings',
  },
};
export const DATATYPES: ReadonlyMap<string, Datatype> = new Map(Object.entries(BY_NAME));

function whole(size: number, minimum: number, maximum: number, decode: Datatype['decode']): Datatype {
  return {
    size,
    decode,
    fits: (value) => Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum,
    what: `whole numbers from ${minimum} to ${maximum}`,
  };
}

function floating(
  size: number,
  maximum: number,
  decode: (view: DataView, offset: number) => number,
): Datatype {
  return {
    size,
    decode: (view, offset) => {
      const value = decode(view, offset);
      return Number.isNaN(value) ? null : value;
    },
    // An infinity, which is not a missing value, is left for its column to refuse: that also says where it is.
    fits: (value) => typeof value === 'number' && (Math.abs(value) <= maximum || !Number.isFinite(value)),
    what: `numbers up to ${maximum}`,
  };
}

/** A whole number that JSON cannot hold with all its digits stays text, for `fits` to refuse and for the record. */
function exact(value: bigint): number | string {
  return value >= SAFE_MINIMUM && value <= SAFE_MAXIMUM ? Number(value) : String(value);
}

/** The upper half of a binary32. */
function toBfloat16(bits: number): number {
  halves.setUint16(0, bits);
  return halves.getFloat32(0);
}

const halves = new DataView(new ArrayBuffer(4));

/** IEEE 754 binary16. */
function toFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

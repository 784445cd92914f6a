const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const SMALL_E = 0x65;
/** In ASCII, the bit in which a small letter differs from its capital. */
const SMALL = 0x20;

/** Powers of ten up to this one are float64s, exactly, … */
const LARGEST_EXACT_POWER = 22;
/** … and so are whole numbers below this one: their product or quotient is rounded once, and correctly. */
const EXACT_WHOLE_LIMIT = 2 ** 53;
const POWERS_OF_TEN = Array.from({ length: LARGEST_EXACT_POWER + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/**
 * Reads plain decimal notation from bytes of text, without a string: exactly what `Number` makes of that string.
 * @returns NaN for every other text, and for numbers with so many digits that one rounding is not enough
 */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const sign = bytes[at];
  if (sign === MINUS || sign === PLUS) at++;
  let whole = 0;
  let digits = 0;
  let point = -1;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    const digit = byte - ZERO;
    if (digit >= 0 && digit <= 9) {
      whole = whole * 10 + digit;
      digits++;
    } else if (byte === POINT && point < 0) point = digits;
    else break;
  }
  if (digits === 0 || whole >= EXACT_WHOLE_LIMIT) return NaN;
  let power = point < 0 ? 0 : point - digits;
  if (at < end) {
    const exponent = readExponent(bytes, at, end);
    if (Number.isNaN(exponent)) return NaN;
    power += exponent;
  }
  let size = whole;
  if (power < 0) {
    if (power < -LARGEST_EXACT_POWER) return NaN;
    size = whole / POWERS_OF_TEN[-power]!;
  } else if (power > 0) {
    if (power > LARGEST_EXACT_POWER) return NaN;
    size = whole * POWERS_OF_TEN[power]!;
  }
  return sign === MINUS ? -size : size;
}

/** The exponent that begins with an `e`; NaN if it is none, or has more than two digits. */
function readExponent(bytes: Uint8Array, start: number, end: number): number {
  if ((bytes[start]! | SMALL) !== SMALL_E) return NaN;
  const sign = bytes[start + 1];
  const first = start + (sign === MINUS || sign === PLUS ? 2 : 1);
  if (first >= end || end - first > 2) return NaN;
  let exponent = 0;
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    exponent = exponent * 10 + digit;
  }
  return sign === MINUS ? -exponent : exponent;
}

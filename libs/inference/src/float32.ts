/**
 * The shortest decimal that reads back as the same float32: 0.5124505758285522 → "0.5124506".
 *
 * Nine significant digits always suffice (IEEE 754), and if p digits do, p + 1 do as well; most probabilities need
 * seven or eight, so the search starts there. For each length only the nearest decimal is tried; at three powers
 * of two (-96, 87, 90) another one of eight digits would read back as well, and nine are written.
 */
export function formatFloat32(value: number): string {
  const size = Math.abs(value);
  const decimal = size >= 1e-4 && size < 1e6 ? roundToDigits : parseDigits;
  const exponent = exponentOf(size);
  let digits = 7;
  let nearest = decimal(size, digits, exponent);
  if (Math.fround(nearest) === size) {
    while (digits > 1) {
      const shorter = decimal(size, --digits, exponent);
      if (Math.fround(shorter) !== size) break;
      nearest = shorter;
    }
  } else {
    while (digits < 9 && Math.fround(nearest) !== size) nearest = decimal(size, ++digits, exponent);
  }
  return String(value < 0 ? -nearest : nearest);
}

/** Enough for any number that is written digit by digit: six digits, a point, thirteen more and a sign. */
export const MAX_FLOAT32_BYTES = 21;

/**
 * Writes the same digits as bytes, for numbers between 0.0001 and a million.
 * @returns the position after them; the same position if it is another number, and nothing was written
 */
export function writeFloat32(value: number, bytes: Uint8Array, at: number): number {
  const size = Math.abs(value);
  if (!(size >= 1e-4 && size < 1e6)) return at;
  const exponent = exponentOf(size);
  let digits = 7;
  if (Math.fround(roundToDigits(size, digits, exponent)) === size) {
    while (digits > 1 && Math.fround(roundToDigits(size, digits - 1, exponent)) === size) digits--;
  } else {
    do digits++;
    while (digits < 9 && Math.fround(roundToDigits(size, digits, exponent)) !== size);
  }
  let decimals = Math.max(0, digits - 1 - exponent);
  let all = Math.round(size * POWERS_OF_TEN[decimals]!);
  // What is just below a power of ten may be rounded to it.
  for (; decimals > 0 && all % 10 === 0; decimals--) all /= 10;
  const whole = Math.floor(all / POWERS_OF_TEN[decimals]!);
  let end = at;
  if (value < 0) bytes[end++] = MINUS;
  end = writeDigits(whole, whole < 10 ? 1 : exponentOf(whole) + 1, bytes, end);
  if (decimals === 0) return end;
  bytes[end++] = POINT;
  return writeDigits(all - whole * POWERS_OF_TEN[decimals]!, decimals, bytes, end);
}

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

function writeDigits(whole: number, digits: number, bytes: Uint8Array, at: number): number {
  let rest = whole;
  for (let place = at + digits - 1; place >= at; place--) {
    // Below 2^31, as all of these are: a division of whole numbers.
    const tenth = (rest / 10) | 0;
    bytes[place] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
  return at + digits;
}

/** The exponent of the largest power of ten that is not above it. */
function exponentOf(size: number): number {
  let exponent = 0;
  if (size >= 1e-4 && size < 1) while (size * POWERS_OF_TEN[-exponent]! < 1) exponent--;
  else if (size < 1e6) while (size >= POWERS_OF_TEN[exponent + 1]!) exponent++;
  return exponent;
}

function parseDigits(size: number, digits: number): number {
  return Number(size.toPrecision(digits));
}

/**
 * The same without a detour through text. A float32 has 24 bits and 5^12 has 28, so that
 * its product with a power of ten up to 10^12 is a float64, exactly; and so is the quotient of two whole numbers below
 * 2^53, correctly rounded, the float64 nearest to the decimal.
 */
function roundToDigits(size: number, digits: number, exponent: number): number {
  const decimals = digits - 1 - exponent;
  if (decimals >= 0) return Math.round(size * POWERS_OF_TEN[decimals]!) / POWERS_OF_TEN[decimals]!;
  return Math.round(size / POWERS_OF_TEN[-decimals]!) * POWERS_OF_TEN[-decimals]!;
}

/** Exact, and read from text: `10 ** n` need not be. */
const POWERS_OF_TEN = Array.from({ length: 13 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The shortest decimal of a number that a graph returned: as a float32 if it is one, else as a float64.
 * @throws Error if the graph returned NaN or an infinity, which is not an answer.
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`the model answered ${value}`);
  return Math.fround(value) === value ? formatFloat32(value) : String(value);
}

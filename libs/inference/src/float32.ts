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

/**
 * The shortest decimal that reads back as the same float32: 0.5124505758285522 → "0.5124506".
 *
 * Nine significant digits always suffice (IEEE 754), and if p digits do, p + 1 do as well; most probabilities need
 * seven or eight, so that the search starts there. Of each length only the nearest decimal is tried; at three powers
 * of two (-96, 87, 90) another one of eight digits would read back as well, and nine are written.
 */
export function formatFloat32(value: number): string {
  const isExact = (digits: number) => Math.fround(Number(value.toPrecision(digits))) === value;
  let digits = 7;
  if (isExact(digits)) while (digits > 1 && isExact(digits - 1)) digits--;
  else while (digits < 9 && !isExact(digits)) digits++;
  return String(Number(value.toPrecision(digits)));
}

/**
 * The shortest decimal of a number that came out of a graph: of a float32 where it is one, else of a float64.
 * @throws Error where the graph answered NaN or an infinity, which is no answer.
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`the model answered ${value}`);
  return Math.fround(value) === value ? formatFloat32(value) : String(value);
}

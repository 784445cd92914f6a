import { describe, expect, test } from 'vitest';
import { formatFloat32 } from './float32.js';

describe('formatFloat32', () => {
  test.each([
    [0.51245058, '0.5124506'],
    [0.5533010363578796, '0.55330104'],
    [0.9026563167572021, '0.9026563'],
    [0.18759594857692719, '0.18759595'],
    [0.13463883101940155, '0.13463883'],
    [0.5014446973800659, '0.5014447'],
  ])('writes the golden probability %d as %s', (value, text) => {
    expect(formatFloat32(Math.fround(value))).toBe(text);
  });

  test.each([
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [-1, '-1'],
    [0.5, '0.5'],
    [0.1, '0.1'],
    [0.9999999, '0.9999999'],
    [1e-7, '1e-7'],
    [1e-6, '0.000001'],
    [16777216, '16777216'],
    // The smallest and the largest subnormal, the smallest normal, the largest of all.
    [2 ** -149, '1e-45'],
    [1.1754942106924411e-38, '1.1754942e-38'],
    [2 ** -126, '1.1754944e-38'],
    [3.4028234663852886e38, '3.4028235e+38'],
  ])('writes %d as %s', (value, text) => {
    expect(formatFloat32(Math.fround(value))).toBe(text);
  });

  test.each([
    [1, '0.7'],
    [2, '0.32'],
    [3, '0.793'],
    [6, '0.617804'],
    [7, '0.5124506'],
    [8, '0.55330104'],
    [9, '0.104047254'],
  ])('uses %i digits where that many are needed: %s', (digits, text) => {
    const value = Math.fround(Number(text));
    expect(formatFloat32(value)).toBe(text);
    expect(Math.fround(Number(value.toPrecision(digits - 1 || 1))) === value).toBe(digits === 1);
  });

  test('at three powers of two a shorter text exists that is not the nearest of its length, and is not used', () => {
    // Below a power of two floats lie twice as close as above, so that only there a text that is not the nearest
    // can read back. All 277 powers of two were compared with the texts beside the nearest one.
    const longer = [];
    for (let exponent = -149; exponent <= 127; exponent++) {
      const value = 2 ** exponent;
      const text = formatFloat32(value);
      expect(Math.fround(Number(text))).toBe(value);
      if (hasShorterNeighbour(value, significantDigits(text))) longer.push([exponent, text]);
    }
    expect(longer).toEqual([
      [-96, '1.26217745e-29'],
      [87, '1.54742505e+26'],
      [90, '1.23794004e+27'],
    ]);
  });

  test('every one of 200 000 random floats reads back, and no shorter rounding of it does', () => {
    const random = xorshift32(20251120);
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    const lengths = new Array<number>(10).fill(0);
    const wrong: string[] = [];
    for (let count = 0; count < 200_000; count++) {
      // Every other one from [0, 1], where probabilities are; the rest from all bit patterns.
      bits[0] = random();
      if (count % 2 === 0) float[0] = bits[0] / 2 ** 32;
      const value = float[0]!;
      if (!Number.isFinite(value)) continue;
      const text = formatFloat32(value);
      const shortest = shortestRounding(value);
      if (Math.fround(Number(text)) !== value || Number(text) !== Number(shortest)) {
        wrong.push(`0x${bits[0].toString(16)}: ${text}, should be ${shortest}`);
      }
      lengths[significantDigits(text)]!++;
    }
    expect(wrong).toEqual([]);
    // The sample has values of every length that matters, so that none of them went unchecked.
    for (const digits of [6, 7, 8, 9]) expect(lengths[digits]).toBeGreaterThan(100);
  });
});

/** The first of all roundings, from one digit to nine, that reads back. */
function shortestRounding(value: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return text;
  }
  throw new Error(`${value} needs more than nine digits`);
}

/** Whether a text of fewer digits, next to the nearest one of its length, reads back. */
function hasShorterNeighbour(value: number, length: number): boolean {
  for (let digits = 1; digits < length; digits++) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
    for (const step of [-1, 1]) {
      const neighbour = `${Number(mantissa.replace('.', '')) + step}e${Number(exponent) - (digits - 1)}`;
      if (Math.fround(Number(neighbour)) === value) return true;
    }
  }
  return false;
}

function significantDigits(text: string): number {
  const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '');
  return (text.includes('.') ? digits : digits.replace(/0+$/, '')).length;
}

/** Marsaglia's generator: the same sequence in every run. */
function xorshift32(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

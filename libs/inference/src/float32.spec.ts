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
  ])('uses %i digits if that many are needed: %s', (digits, text) => {
    const value = Math.fround(Number(text));
    expect(formatFloat32(value)).toBe(text);
    expect(Math.fround(Number(value.toPrecision(digits - 1 || 1))) === value).toBe(digits === 1);
  });
});

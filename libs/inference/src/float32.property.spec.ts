import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatFloat32 } from './float32.js';

/** At these powers of two a text that is shorter, but not the nearest of its length, would read back as well. */
const NOT_THE_SHORTEST = [2 ** -96, 2 ** 87, 2 ** 90];

const bits = new Uint32Array(1);
const floats = new Float32Array(bits.buffer);

function fromBits(pattern: number): number {
  bits[0] = pattern;
  return floats[0]!;
}

function toBits(value: number): number {
  floats[0] = value;
  return bits[0]!;
}

/** Whether it reads back, nothing shorter does, and of its length it is the nearest; else what is wrong. */
function mistakeIn(value: number): string[] {
  if (!Number.isFinite(value)) return [];
  const text = formatFloat32(value);
  if (value === 0) return text === '0' ? [] : [text];
  if (Math.fround(Number(text)) !== value) return [`${value}: ${text} is another float`];
  const length = significantDigits(text);
  // The first rounding that reads back, by way of text alone.
  let rounded = '';
  for (let digits = 1; digits <= 9 && Math.fround(Number(rounded)) !== value; digits++) {
    rounded = value.toPrecision(digits);
  }
  if (Number(text) !== Number(rounded)) return [`${value}: ${text} is not ${rounded}`];
  if (length === 1 || NOT_THE_SHORTEST.includes(Math.abs(value))) return [];
  // Neither the nearest shorter one nor the ones beside it.
  const [mantissa, exponent] = value.toExponential(length - 2).split('e') as [string, string];
  return [-1, 0, 1].flatMap((step) => {
    const shorter = `${Number(mantissa.replace('.', '')) + step}e${Number(exponent) - length + 2}`;
    return Math.fround(Number(shorter)) === value ? [`${value}: ${shorter} is shorter than ${text}`] : [];
  });
}

function significantDigits(text: string): number {
  const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '');
  return (text.includes('.') ? digits : digits.replace(/0+$/, '')).length;
}

/** In a float and those that lie next to it, on both sides of zero. */
function mistakesAround(value: number): string[] {
  return [-3, -2, -1, 0, 1, 2, 3].flatMap((step) => {
    const neighbour = fromBits((toBits(Math.abs(value)) + step) >>> 0);
    return [...mistakeIn(neighbour), ...mistakeIn(-neighbour)];
  });
}

test('at both edges and in the middle of all exponents, subnormals and zero among them', () => {
  const mistakes = mistakeIn(-0);
  for (let exponent = 0; exponent < 255; exponent++) {
    for (const fraction of [0, 0x400000, 0x2aaaaa, 0x555555, 0x7fffff]) {
      mistakes.push(...mistakesAround(fromBits((exponent << 23) | fraction)));
    }
  }
  expect(mistakes).toEqual([]);
});

test('at the powers of ten, and at one to nine times of them', () => {
  const mistakes: string[] = [];
  for (let exponent = -45; exponent <= 38; exponent++) {
    for (let factor = 1; factor <= 9; factor++) {
      mistakes.push(...mistakesAround(Math.fround(Number(`${factor}e${exponent}`))));
    }
  }
  expect(mistakes).toEqual([]);
});

test('where a shorter text lies halfway', () => {
  // Decimals that end in 5: a rounding to one digit less has to break the tie.
  const tie = fc.tuple(fc.integer({ min: 1, max: 2 ** 24 - 1 }), fc.integer({ min: -10, max: 10 }));
  fc.assert(
    fc.property(tie, ([digits, exponent]) => {
      expect(mistakesAround(Math.fround(Number(`${digits}5e${exponent}`)))).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
  // Floats that lie halfway between two whole numbers themselves.
  const wholes = Array.from({ length: 500 }, (_, index) => 2 ** 22 + index);
  expect(wholes.flatMap((whole) => mistakeIn(whole + 0.5))).toEqual([]);
});

test('everywhere else', () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffffffff }), (pattern) => {
      expect(mistakeIn(fromBits(pattern))).toEqual([]);
    }),
    { numRuns: 20_000 },
  );
});

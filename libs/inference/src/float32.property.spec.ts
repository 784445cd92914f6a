import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seeded } from '../../../test/support/generated-text.js';
import { formatFloat32, MAX_FLOAT32_BYTES, writeFloat32 } from './float32.js';

/** At these powers of two a text that is shorter, but not the nearest of its length, would read back as well. */
const NOT_THE_SHORTEST = [2 ** -96, 2 ** 87, 2 ** 90];

const bytes = Buffer.alloc(MAX_FLOAT32_BYTES);
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

/** What is wrong unless it reads back, nothing shorter does, and it is the nearest of its length. */
function mistakeIn(value: number): string[] {
  if (!Number.isFinite(value)) return [];
  const text = formatFloat32(value);
  const written = writeFloat32(value, bytes, 0);
  if (written > 0 && bytes.toString('latin1', 0, written) !== text) {
    return [`${value}: ${bytes.toString('latin1', 0, written)} is written, and not ${text}`];
  }
  if (value === 0) return text === '0' ? [] : [text];
  if (Math.fround(Number(text)) !== value) return [`${value}: ${text} is another float`];
  const length = significantDigits(text);
  // The first rounding that reads back, computed through text only.
  let rounded = '';
  for (let digits = 1; digits <= 9 && Math.fround(Number(rounded)) !== value; digits++) {
    rounded = value.toPrecision(digits);
  }
  if (Number(text) !== Number(rounded)) return [`${value}: ${text} is not ${rounded}`];
  if (NOT_THE_SHORTEST.includes(Math.abs(value))) return [];
  return shorterTexts(value, length).map((shorter) => `${value}: ${shorter} is shorter than ${text}`);
}

/** Texts of fewer digits that read back: for each length the nearest one and its neighbours are tried. */
function shorterTexts(value: number, length: number): string[] {
  const found: string[] = [];
  for (let digits = 1; digits < length; digits++) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
    for (const step of [-1, 0, 1]) {
      const text = `${Number(mantissa.replace('.', '')) + step}e${Number(exponent) - (digits - 1)}`;
      if (Math.fround(Number(text)) === value) found.push(text);
    }
  }
  return found;
}

function significantDigits(text: string): number {
  const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '');
  return (text.includes('.') ? digits : digits.replace(/0+$/, '')).length;
}

/** For a float and its neighbours, on both sides of zero. */
function mistakesAround(value: number): string[] {
  return [-3, -2, -1, 0, 1, 2, 3].flatMap((step) => {
    const neighbour = fromBits((toBits(Math.abs(value)) + step) >>> 0);
    return [...mistakeIn(neighbour), ...mistakeIn(-neighbour)];
  });
}

test('at both edges and in the middle of all exponents, including subnormals and zero', () => {
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

test('where the value is halfway between two shorter texts', () => {
  // Decimals that end in 5: a rounding to one digit less has to break the tie.
  const tie = fc.tuple(fc.integer({ min: 1, max: 2 ** 24 - 1 }), fc.integer({ min: -10, max: 10 }));
  fc.assert(
    fc.property(tie, ([digits, exponent]) => {
      expect(mistakesAround(Math.fround(Number(`${digits}5e${exponent}`)))).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
  // Floats that are themselves halfway between two whole numbers.
  const wholes = Array.from({ length: 500 }, (_, index) => 2 ** 22 + index);
  expect(wholes.flatMap((whole) => mistakeIn(whole + 0.5))).toEqual([]);
});

test('at three powers of two a shorter text exists that is not the nearest of its length, and is not used', () => {
  // Below a power of two floats lie twice as close as above, so that only there a text that is not the nearest
  // can read back. All 277 powers of two were compared with the texts beside the nearest one.
  const longer = [];
  for (let exponent = -149; exponent <= 127; exponent++) {
    const value = 2 ** exponent;
    const text = formatFloat32(value);
    expect(mistakeIn(value)).toEqual([]);
    if (shorterTexts(value, significantDigits(text)).length > 0) longer.push([exponent, text]);
  }
  expect(longer).toEqual([
    [-96, '1.26217745e-29'],
    [87, '1.54742505e+26'],
    [90, '1.23794004e+27'],
  ]);
});

test('in 200 000 floats, always the same ones', () => {
  const random = seeded(20251120);
  const lengths = new Array<number>(10).fill(0);
  const mistakes: string[] = [];
  for (let count = 0; count < 200_000; count++) {
    // Every other one from [0, 1], where probabilities are; the rest from all bit patterns.
    const pattern = random(2 ** 32);
    const value = count % 2 === 0 ? Math.fround(pattern / 2 ** 32) : fromBits(pattern);
    mistakes.push(...mistakeIn(value));
    lengths[significantDigits(formatFloat32(value))]!++;
  }
  expect(mistakes).toEqual([]);
  // The sample has values of every length that matters, so that none of them goes unchecked.
  for (const digits of [6, 7, 8, 9]) expect(lengths[digits]).toBeGreaterThan(100);
});

test('in all other floats', () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffffffff }), (pattern) => {
      expect(mistakeIn(fromBits(pattern))).toEqual([]);
    }),
    { numRuns: 20_000 },
  );
});

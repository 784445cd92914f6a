import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileColumns, Mistake } from './coercion.js';
import { readDecimal } from './decimal-bytes.js';
import { inputSchemaFile } from './input-schema.js';
import type { ElementType } from './row.js';

const digits = (maxLength: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength });
const decimal = fc
  .tuple(
    fc.constantFrom('', '', '', '-', '+', ' '),
    digits(20),
    fc.constantFrom('', '.', '.', '..'),
    digits(25),
    fc.constantFrom('', '', '', 'e', 'E-', 'e+'),
    digits(3),
    fc.constantFrom('', '', '', ' ', 'x'),
  )
  .map((parts) => parts.join(''));
const cell = fc.oneof(
  decimal,
  fc.double().map(String),
  fc.double({ min: -1e6, max: 1e6 }).map((number) => number.toFixed(3)),
  fc.double({ min: 1e-7, max: 1e7 }).map((number) => number.toPrecision(17)),
  fc.float().map((number) => number.toPrecision(9)),
  fc.integer().map(String),
  fc.constantFrom(
    '1e-45',
    '7e-46',
    '-0',
    '+5',
    ' 5 ',
    '',
    'nan',
    'NaN',
    '-',
    '.',
    'e5',
    '5.',
    '.5',
    '0x19',
    '1_000',
  ),
  fc.constantFrom(
    '1e400',
    '1e-400',
    '1e22',
    '1e23',
    '9007199254740991',
    '9007199254740993',
    '9007199254740993e-3',
  ),
  fc.constantFrom('0.1', '16777217', '3.4028235677973366e38', '00000000000000000001', '25e', '1e+', '1e1.5'),
);

const inBytes = (text: string) => {
  // In the middle of others, as in a file.
  const bytes = Buffer.from(`9${text},9`);
  return readDecimal(bytes, 1, bytes.length - 2);
};

test('a number in bytes is the one that its string is, or is left to the string', () => {
  fc.assert(
    fc.property(cell, (text) => {
      const number = inBytes(text);
      expect(Number.isNaN(number) || Object.is(number, Number(text)), `${text}: ${number}`).toBe(true);
    }),
    { numRuns: 50_000 },
  );
});

test.each([
  '0',
  '-0',
  '+5',
  '61',
  '263358.03',
  '1.36',
  '-122.23',
  '5.',
  '.5',
  '1e3',
  '2.5E-2',
  '123456789012345',
])('%s needs no string', (text) => expect(Object.is(inBytes(text), Number(text))).toBe(true));

test.each<[ElementType, object]>([
  ['float32', {}],
  ['float64', {}],
  ['float32', { minimum: -1, maximum: 1000 }],
  ['float64', { minimum: 0.1 }],
])('in a column of %s %j a cell becomes the same by its bytes as by its string', (type, limits) => {
  const { columns } = inputSchemaFile.parse({
    input_schema: { columns: [{ name: 'x', type: 'numeric', ...limits }] },
  }).input_schema;
  const [{ convert, takes }] = compileColumns(columns, [type]) as [ReturnType<typeof compileColumns>[0]];
  const array = type === 'float32' ? new Float32Array(1) : new Float64Array(1);
  fc.assert(
    fc.property(cell, (text) => {
      const converted = convert(text);
      const number = inBytes(text);
      if (!takes(number)) {
        // What is wrong is said by the other way, which must find something wrong unless it is left to it.
        if (!Number.isNaN(number)) expect(converted, text).toBeInstanceOf(Mistake);
        return;
      }
      array[0] = number;
      expect(Object.is(array[0], converted), text).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

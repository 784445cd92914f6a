import { readFileSync } from 'node:fs';
import { parquetMetadata } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { dictionaryFields, withFields } from './arrow-schema.js';

/** As pyarrow wrote it. The clients' tests check that pyarrow reads the result. */
const { schema, key_value_metadata } = parquetMetadata(
  new Uint8Array(readFileSync('test/support/parquet/arrow.parquet')).buffer,
);
const ARROW = key_value_metadata!.find(({ key }) => key === 'ARROW:schema')!.value!;
const COLUMNS = schema.length - 1;
const ADDED = [
  { name: 'yhat_prob', type: 'float32' },
  { name: 'label', type: 'string' },
  { name: 'row', type: 'integer' },
  { name: 'prediction', type: 'float64' },
] as const;

describe('an Arrow schema', () => {
  test('gains fields, and can be read again', () => {
    const once = withFields(ARROW, COLUMNS, ADDED)!;
    const twice = withFields(once, COLUMNS + ADDED.length, ADDED)!;
    expect(dictionaryFields(ARROW, COLUMNS)).toEqual([0]);
    expect(dictionaryFields(once, COLUMNS + ADDED.length)).toEqual([0]);
    expect(dictionaryFields(twice, COLUMNS + 2 * ADDED.length)).toEqual([0]);
    const bytes = Buffer.from(once, 'base64');
    // A message has the length that it states, in multiples of eight.
    expect(bytes.readInt32LE(4)).toBe(bytes.length - 8);
    expect(bytes.length % 8).toBe(0);
  });

  test('of columns other than the file’s is not used', () => {
    for (const columns of [0, COLUMNS - 1, COLUMNS + 1]) {
      expect(withFields(ARROW, columns, ADDED)).toBeUndefined();
      expect(dictionaryFields(ARROW, columns)).toEqual([]);
    }
  });

  test.each(['', 'AAAA', '/////wgAAAA=', 'no base64 at all', Buffer.alloc(1000, 0xff).toString('base64')])(
    'that is invalid: %j',
    (text) => {
      expect(withFields(text, COLUMNS, ADDED)).toBeUndefined();
      expect(dictionaryFields(text, COLUMNS)).toEqual([]);
    },
  );

  test('damaged or cut off anywhere is read or not, and the result never has more than the input', () => {
    const whole = Buffer.from(ARROW, 'base64');
    for (let at = 0; at < whole.length; at++) {
      for (const damaged of [whole.subarray(0, at), Buffer.from(whole)]) {
        if (damaged.length === whole.length) damaged[at]! ^= 0xff;
        const text = damaged.toString('base64');
        expect((withFields(text, COLUMNS, ADDED) ?? '').length).toBeLessThan(text.length + 4_000);
        expect(dictionaryFields(text, COLUMNS).length).toBeLessThanOrEqual(COLUMNS);
      }
    }
  });
});

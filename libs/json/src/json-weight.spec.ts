import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_DEPTH, weighJson } from './json-weight.js';

const weigh = (text: string, limits?: Parameters<typeof weighJson>[1]) =>
  weighJson(Buffer.from(text), limits);

/** The same count in a parsed value: all members and elements except the first of each array and object. */
function weightOf(value: unknown): Record<'values' | 'members' | 'elements' | 'depth', number> {
  if (typeof value !== 'object' || value === null) return { values: 0, members: 0, elements: 0, depth: 0 };
  const inner = Object.values(value).map(weightOf);
  const [members, elements] = Array.isArray(value) ? [0, inner.length] : [inner.length, 0];
  return {
    values: 1 + Math.max(0, inner.length - 1) + inner.reduce((sum, { values }) => sum + values, 0),
    members: Math.max(members, ...inner.map((each) => each.members)),
    elements: Math.max(elements, ...inner.map((each) => each.elements)),
    depth: 1 + Math.max(0, ...inner.map(({ depth }) => depth)),
  };
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('"', '\\', ',', '{', '[', ']', '}', ':', 'é', '\\"', 'u'), { maxLength: 8 })
    .map((each) => each.join('')),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium' },
    text,
    fc.constantFrom(null, true, 1.5e300),
    fc.array(tie('value')),
    fc.dictionary(text, tie('value')),
  ),
}));

test('counts the same in the bytes as in the value', () => {
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 1), (each, indent) => {
      const { values, members, elements, depth } = weightOf(each);
      fc.pre(depth <= MAX_DEPTH);
      const json = JSON.stringify(each, undefined, indent);
      expect(weigh(json)).toBe(values);
      expect(weigh(json, { members, elements, values })).toBe(values);
      if (values > 0) expect(() => weigh(json, { values: values - 1 })).toThrow(/more than \d+ values/);
      if (elements > 1) {
        expect(() => weigh(json, { elements: elements - 1 })).toThrow(/more than \d+ elements/);
      }
      if (members > 1) expect(() => weigh(json, { members: members - 1 })).toThrow(/more than \d+ members/);
    }),
    { numRuns: 2_000 },
  );
});

describe('nesting', () => {
  const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);

  test.each([
    ['arrays', '[', ']'],
    ['objects', '{"a":', '}'],
    ['both', '[{"a":', '}]'],
  ])('of %s ends at its limit', (_, open, close) => {
    const levels = open.length > 5 ? MAX_DEPTH / 2 : MAX_DEPTH;
    expect(weigh(nested(levels, open, close).replace(':}', ':1}'))).toBeGreaterThan(0);
    expect(() => weigh(nested(levels + 1, open, close))).toThrow('nested deeper than 32 levels');
    expect(() => weigh(nested(1_000_000, open, ''))).toThrow('nested deeper than 32 levels');
  });
});

test.each(['', '"', '"\\', ']]]]', '}', '"a', ',,,', '[}', '{]'])(
  '%j, which is no JSON, is read to its end',
  (json) => {
    expect(weigh(json)).toBeGreaterThanOrEqual(0);
  },
);

import { describe, expect, test } from 'vitest';
import { compileCoercion, type Features } from './coercion.js';
import { inputSchemaFile, type Column } from './input-schema.js';

type ColumnAsWritten = Partial<Column> & Pick<Column, 'type'>;

/** Columns as `input_schema.json` gives them, so that what the file leaves out is filled in as for a real model. */
function columnsOf(...columns: (ColumnAsWritten & { name: string })[]): Column[] {
  return inputSchemaFile.parse({ input_schema: { columns } }).input_schema.columns;
}

/** What one value becomes in a column called `x`: `{ value }`, or `{ error }` with the detail told to the caller. */
function coerceOne(column: ColumnAsWritten, features: Features): { value?: unknown; error?: string } {
  const { row, errors } = compileCoercion(columnsOf({ name: 'x', ...column }))(features);
  if (errors.length === 0) return { value: row[0] };
  expect(errors).toEqual([{ detail: expect.any(String), pointer: '#/x' }]);
  return { error: errors[0]!.detail };
}

const show = (value: unknown) => (value === undefined ? 'undefined' : JSON.stringify(value));

/** Reads each of the values on the right as the value on the left. */
function eachIsTakenFor(column: ColumnAsWritten, cases: [unknown, unknown[]][]) {
  const flat = cases.flatMap(([value, written]) => written.map((x) => [show(x), x, value] as const));
  test.each(flat)('%s', (_, x, value) => expect(coerceOne(column, { x })).toStrictEqual({ value }));
}

/** Refuses each of the values, grouped by what is wrong with it. */
function eachIsRefused(column: ColumnAsWritten, cases: Record<string, unknown[]>) {
  const flat = Object.entries(cases).flatMap(([what, values]) =>
    values.map((x) => [what, show(x), x] as const),
  );
  test.each(flat)('%s: %s', (_what, _shown, x) => {
    expect(coerceOne(column, { x })).toStrictEqual({ error: expect.any(String) });
  });
}

describe('a numeric column', () => {
  describe('takes numbers, booleans and plain decimal notation', () => {
    eachIsTakenFor({ type: 'numeric' }, [
      [25, [25, 2.5e1, '25', ' 25 ', '\t25\n', '2.5e1', '2.5E+1', '250e-1', '+25', '025', '25.']],
      [-25, ['-25']],
      [-17.5, [-17.5]],
      [0.5, ['.5']],
      [-0.5, ['-.5']],
      [1, [true]],
      [0, [0, false]],
    ]);
  });

  describe('becomes the nearest 32-bit float', () => {
    eachIsTakenFor({ type: 'numeric' }, [
      [Math.fround(0.1), [0.1]],
      [Math.fround(263358.03), ['263358.03']],
      [16777216, [16777217]],
      [0, [1e-46]],
      // The last one is the last double that still rounds to the largest float32; its neighbour rounds to infinity.
      [3.4028234663852886e38, [3.4028234663852886e38, 3.4028235677973362e38]],
      [-3.4028234663852886e38, ['-3.4028234663852886e38']],
    ]);
    eachIsRefused({ type: 'numeric' }, { 'rounds to infinity': [3.4028235677973366e38] });
  });

  describe('refuses everything else', () => {
    eachIsRefused(
      { type: 'numeric' },
      {
        'no number': ['abc', '', ' ', 'true', 'null', undefined],
        'no finite number': ['NaN', 'Infinity', '-Infinity', NaN, Infinity],
        'too large': [1e39, -1e39, '1e39', '1e400'],
        'a list or an object': [[25], ['25'], [], {}, { valueOf: 25 }],
        'another base': ['0x19', '0b11001', '0o31'],
        'more than digits': ['1_000', '1,000', '2 5', '25n', '25f', '25%'],
        'other digits': ['٢٥', '２５'],
        'parts of a number': ['.', 'e5', '1e', '1e1.5', '--1', '1.2.3'],
      },
    );
  });

  test('says which range a number that is too large must fit', () => {
    expect(coerceOne({ type: 'numeric' }, { x: 1e39 }).error).toMatch(/32-bit/);
    expect(coerceOne({ type: 'numeric' }, { x: '1e39' }).error).toMatch(/32-bit/);
  });

  test('takes its minimum and maximum and nothing beyond, in any notation', () => {
    const column: ColumnAsWritten = { type: 'numeric', minimum: 0.1, maximum: 120 };
    for (const x of [0.1, 120, '0.1', '120', '1.2e2', true]) {
      expect(coerceOne(column, { x }).value, show(x)).toBeTypeOf('number');
    }
    for (const x of [0.0999, 120.0001, '0.0999', '120.0001', -1, 1e6, false]) {
      expect(coerceOne(column, { x }).error, show(x)).toBe('must be from 0.1 to 120');
    }
  });

  test('names the one limit it has', () => {
    expect(coerceOne({ type: 'numeric', minimum: 0 }, { x: -1 }).error).toBe('must be at least 0');
    expect(coerceOne({ type: 'numeric', maximum: 0 }, { x: 1 }).error).toBe('must be at most 0');
  });

  test('refuses a long text in time proportional to its length', () => {
    const started = performance.now();
    for (const text of [
      '1'.repeat(100_000) + 'x',
      '1'.repeat(100_000) + '.x',
      '1e' + '1'.repeat(100_000) + 'x',
    ]) {
      expect(coerceOne({ type: 'numeric' }, { x: text })).toHaveProperty('error');
    }
    // With an expression that can match a digit in two ways this takes 12 s for the first text alone.
    expect(performance.now() - started).toBeLessThan(1_500);
  });
});

describe('a boolean column', () => {
  describe('takes booleans, 0 and 1, and these words in any case', () => {
    eachIsTakenFor({ type: 'boolean' }, [
      [1, [1, true, '1', ' 1 ', 'true', 'True', ' tRuE ']],
      [0, [0, false, '0', 'false', 'FALSE']],
    ]);
  });

  describe('refuses everything else', () => {
    eachIsRefused(
      { type: 'boolean' },
      {
        'another number': [25, 2.5e1, 0.5, -1, 1e39],
        'the text of another number': ['25', ' 25 ', '1e39', 'NaN', 'Infinity'],
        'another spelling': ['1.0', '01', 'yes', 't', '١'],
        'no truth': ['abc', '', undefined],
        'a list or an object': [[1], [true], {}],
      },
    );
  });
});

describe('a categorical column with categories', () => {
  describe('takes what it lists, a number as its text', () => {
    eachIsTakenFor(
      { type: 'categorical', categories: ['INLAND', 'NaN', ' 25 ', '', 25, 2.5, 'constructor'] },
      [
        ['INLAND', ['INLAND']],
        ['NaN', ['NaN']],
        [' 25 ', [' 25 ']],
        ['', ['']],
        ['25', [25, 2.5e1, '25']],
        ['2.5', [2.5]],
        ['constructor', ['constructor']],
      ],
    );
  });

  describe('refuses what it does not list, and what is neither text nor number', () => {
    eachIsRefused(
      { type: 'categorical', categories: ['INLAND', 'true', '25'] },
      {
        'another spelling': ['inland', ' INLAND', ' 25 ', '2.5e1'],
        'another text': ['abc', '', 'NaN', 'Infinity', 'constructor', 'toString'],
        'another number': [26, 1e39],
        'no text': [true, false, undefined, ['INLAND'], [25], {}],
      },
    );
  });

  test('names its categories', () => {
    const column: ColumnAsWritten = { type: 'categorical', categories: ['INLAND', 'NEAR "BAY"', 7] };
    expect(coerceOne(column, { x: 'ISLE' }).error).toBe('must be one of "INLAND", "NEAR \\"BAY\\"", "7"');
  });
});

describe('a categorical column without categories', () => {
  describe('takes any non-empty text, as it is, and nothing else', () => {
    eachIsTakenFor({ type: 'categorical' }, [
      ['INLAND', ['INLAND']],
      ['25', ['25']],
      [' 25 ', [' 25 ']],
    ]);
    eachIsRefused({ type: 'categorical' }, { 'no text': ['', 25, 1e39, true, false, [25], {}] });
  });
});

describe('null and absent', () => {
  const TYPES = [
    ['numeric', NaN],
    ['boolean', NaN],
    ['categorical', ''],
  ] as const;

  describe.each(TYPES)('in a %s column', (type, missing) => {
    test('null is a missing value if the column is nullable', () => {
      expect(coerceOne({ type, nullable: true }, { x: null })).toEqual({ value: missing });
    });

    test('null is an error if it is not, even if the column has a default or is not required', () => {
      expect(coerceOne({ type }, { x: null }).error).toBe('must not be null');
      expect(coerceOne({ type, required: false }, { x: null }).error).toBe('must not be null');
      expect(coerceOne({ type, default: '1' }, { x: null }).error).toBe('must not be null');
    });

    test('absent is an error unless the schema says otherwise, even if the column is nullable', () => {
      expect(coerceOne({ type }, {}).error).toBe('is required');
      expect(coerceOne({ type, nullable: true }, {}).error).toBe('is required');
    });

    test('absent is a missing value if the column is not required', () => {
      expect(coerceOne({ type, required: false }, {})).toEqual({ value: missing });
    });

    test('absent is the default if there is one, required or not', () => {
      const value = type === 'categorical' ? '1' : 1;
      expect(coerceOne({ type, default: '1' }, {})).toEqual({ value });
      expect(coerceOne({ type, default: '1', required: false }, {})).toEqual({ value });
    });

    test('a default of null is a missing value', () => {
      expect(coerceOne({ type, default: null }, {})).toEqual({ value: missing });
    });

    test('the default is not used for a value that is wrong', () => {
      expect(coerceOne({ type, default: '1' }, { x: {} })).toHaveProperty('error');
    });
  });
});

describe('a schema with a default that its own column refuses', () => {
  test.each<[string, ColumnAsWritten]>([
    ['no number', { type: 'numeric', default: 'abc' }],
    ['no float32', { type: 'numeric', default: 1e39 }],
    ['below the minimum', { type: 'numeric', default: -1, minimum: 0 }],
    ['above the maximum', { type: 'numeric', default: '2', maximum: 1 }],
    ['no boolean', { type: 'boolean', default: 2 }],
    ['not among the categories', { type: 'categorical', default: 'c', categories: ['a', 'b'] }],
    ['no category', { type: 'categorical', default: true, categories: ['true'] }],
  ])('does not compile, and says which column: %s', (_, column) => {
    expect(() => compileCoercion(columnsOf({ name: 'the column', ...column }))).toThrow(
      /the default of column the column must /,
    );
  });
});

describe('a whole feature dictionary', () => {
  const coerce = compileCoercion(
    columnsOf(
      { name: 'age', type: 'numeric', minimum: 0 },
      { name: 'smoker', type: 'boolean' },
      { name: 'ward', type: 'categorical', categories: ['A', 'B'] },
      { name: 'weight', type: 'numeric', nullable: true },
    ),
  );

  test('becomes a row in the schema’s order, whatever order it is written in', () => {
    expect(coerce({ weight: null, ward: 'B', smoker: 'false', age: '40' })).toEqual({
      row: [40, 0, 'B', NaN],
      errors: [],
      ignoredColumns: [],
    });
  });

  test('has every bad column reported at once, in the schema’s order', () => {
    const { errors } = coerce({ ward: 'C', age: -1, smoker: 'maybe' });
    expect(errors).toEqual([
      { detail: 'must be at least 0', pointer: '#/age' },
      { detail: expect.stringMatching(/true, false, 0 or 1/), pointer: '#/smoker' },
      { detail: 'must be one of "A", "B"', pointer: '#/ward' },
      { detail: 'is required', pointer: '#/weight' },
    ]);
  });

  test('may have columns the schema does not name: they are ignored and listed, even beside errors', () => {
    expect(coerce({ age: 1, extra: 1, smoker: 0, ward: 'A', weight: 1, Age: 2 }).ignoredColumns).toEqual([
      'extra',
      'Age',
    ]);
    expect(coerce({ extra: {}, age: 'x' }).ignoredColumns).toEqual(['extra']);
    expect(coerce(JSON.parse('{"__proto__":1,"constructor":2}') as Features).ignoredColumns).toEqual([
      '__proto__',
      'constructor',
    ]);
  });

  test('is not changed', () => {
    const features = Object.freeze({ age: ' 1 ', smoker: 'x', extra: 1 });
    coerce(features);
    expect(features).toEqual({ age: ' 1 ', smoker: 'x', extra: 1 });
  });

  test('keeps nothing from one call to the next', () => {
    const good = { age: 1, smoker: 0, ward: 'A', weight: 1 };
    const first = coerce(good);
    expect(coerce({}).errors).toHaveLength(4);
    expect(coerce(good)).toEqual(first);
  });

  test('no value from the caller is repeated in a detail', () => {
    const values = ['hunter2', '4711.4711.4711', 47114711e39, ['hunter2'], { hunter2: 'hunter2' }, -4711, ''];
    for (const value of values) {
      const { errors } = coerce({ age: value, smoker: value, ward: value, weight: value, hunter2: value });
      expect(errors.length).toBeGreaterThan(0);
      expect(JSON.stringify(errors)).not.toMatch(/hunter2|4711/);
    }
  });
});

describe('columns named like members of every object', () => {
  const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
  const coerce = compileCoercion(columnsOf(...NAMES.map((name) => ({ name, type: 'numeric' as const }))));

  test('are absent unless the caller sent them', () => {
    expect(coerce({}).errors).toEqual(NAMES.map((name) => ({ detail: 'is required', pointer: `#/${name}` })));
  });

  test('are read from what the caller sent', () => {
    const features = JSON.parse(
      '{"constructor":1,"__proto__":2,"toString":3,"hasOwnProperty":4}',
    ) as Features;
    expect(coerce(features)).toEqual({ row: [1, 2, 3, 4], errors: [], ignoredColumns: [] });
  });
});

test.each([
  ['age', '#/age'],
  ['a/b', '#/a~1b'],
  ['a~b', '#/a~0b'],
  ['~1', '#/~01'],
  ['/~', '#/~1~0'],
  ['serum sodium', '#/serum%20sodium'],
  ['größe', '#/gr%C3%B6%C3%9Fe'],
  ['年', '#/%E5%B9%B4'],
  ['😀', '#/%F0%9F%98%80'],
  ['50%', '#/50%25'],
  ['#', '#/%23'],
  ['"', '#/%22'],
])('the pointer to the column %s is %s (RFC 6901 §6)', (name, pointer) => {
  const { errors } = compileCoercion(columnsOf({ name, type: 'numeric' }))({});
  expect(errors).toEqual([{ detail: 'is required', pointer }]);
});

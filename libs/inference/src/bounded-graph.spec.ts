import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isBounded } from './bounded-graph.js';

const foreign = (name: string) => readFileSync(`test/support/foreign-models/${name}/model.onnx`);
const ours = (name: string) => readFileSync(`model-artifacts/${name}/1/model.onnx`);

/** The part of protobuf that these graphs need. */
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
const field = (number: number, content: string | Uint8Array | number[]): Buffer => {
  const bytes = Array.isArray(content)
    ? Buffer.from(content.flatMap(varint))
    : Buffer.from(content as string);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
};
const node = (operator: string, { inputs = ['x'], domain = '', attributes = [] as Buffer[] } = {}) =>
  Buffer.concat([
    ...inputs.map((name) => field(1, name)),
    field(2, 'y'),
    field(4, operator),
    ...attributes.map((attribute) => field(5, attribute)),
    ...(domain ? [field(7, domain)] : []),
  ]);
const model = (nodes: Buffer[], ...initializers: string[]) =>
  field(
    7,
    Buffer.concat([
      ...nodes.map((each) => field(1, each)),
      ...initializers.map((name) => field(5, field(8, name))),
    ]),
  );
const tree = (modes: string[], whereTrue: number[], whereFalse: number[], what = 'Regressor') => {
  const ints = (name: string, values: number[]) => Buffer.concat([field(1, name), field(8, values)]);
  const attributes = [
    ints('nodes_treeids', new Array<number>(modes.length).fill(0)),
    ints('nodes_nodeids', [...modes.keys()]),
    ints('nodes_truenodeids', whereTrue),
    ints('nodes_falsenodeids', whereFalse),
    Buffer.concat([field(1, 'nodes_modes'), ...modes.map((mode) => field(9, mode))]),
  ];
  return node(`TreeEnsemble${what}`, { domain: 'ai.onnx.ml', attributes });
};

test.each(['heart-failure', 'iris', 'california-housing'])('%s of this repository is bounded', (name) => {
  expect(isBounded(ours(name))).toBe(true);
});

test.each(['int64-labels', 'float64', 'tensor-per-column', 'heart-failure-2', 'fragile'])(
  '%s, as converters make it, is bounded',
  (name) => {
    expect(isBounded(foreign(name))).toBe(true);
  },
);

test.each([
  ['slow', 'which loops'],
  ['insatiable', 'which loops as often as a feature says'],
  ['cyclic', 'whose tree leads in a circle'],
])('%s, %s, is not', (name) => {
  expect(isBounded(foreign(name))).toBe(false);
});

describe('an operator', () => {
  test('that is known is bounded, and any other is not', () => {
    expect(isBounded(model([node('Add')]))).toBe(true);
    for (const operator of ['Loop', 'Scan', 'If', 'ConstantOfShape', 'Expand', 'Tile', 'Range', 'Invented']) {
      expect(isBounded(model([node('Add'), node(operator)])), operator).toBe(false);
    }
  });

  test('of another domain is not, even if it is called like one that is known', () => {
    expect(isBounded(model([node('Add', { domain: 'ai.onnx' })]))).toBe(true);
    expect(isBounded(model([node('Add', { domain: 'com.microsoft' })]))).toBe(false);
    expect(isBounded(model([node('Scaler', { domain: 'ai.onnx.ml' })]))).toBe(true);
    expect(isBounded(model([node('Add', { domain: 'ai.onnx.ml' })]))).toBe(false);
  });

  test('whose input values determine the output shape is bounded if these are constants', () => {
    const reshape = node('Reshape', { inputs: ['x', 'shape'] });
    expect(isBounded(model([reshape], 'shape'))).toBe(true);
    expect(isBounded(model([reshape], 'other'))).toBe(false);
    const constant = Buffer.concat([field(2, 'shape'), field(4, 'Constant')]);
    expect(isBounded(model([constant, reshape]))).toBe(true);
  });
});

describe('trees', () => {
  test('are bounded, even if two branches meet again', () => {
    expect(isBounded(model([tree(['LEAF'], [0], [0])]))).toBe(true);
    expect(isBounded(model([tree(['B', 'B', 'LEAF', 'LEAF'], [1, 2, 0, 0], [3, 2, 0, 0])]))).toBe(true);
  });

  test('with a cycle, or a branch to a missing node, are not', () => {
    expect(isBounded(model([tree(['B', 'B', 'LEAF'], [1, 0, 0], [2, 2, 0])]))).toBe(false);
    expect(isBounded(model([tree(['B', 'LEAF'], [0, 0], [1, 0])]))).toBe(false);
    expect(isBounded(model([tree(['B', 'LEAF'], [9, 0], [1, 0])]))).toBe(false);
  });

  test('whose longest paths are too long together are not, and their depth overflows no stack', () => {
    // Each node but the last two leads to the next one, or to the end.
    const chain = (depth: number) => {
      const modes = [...new Array<string>(depth).fill('B'), 'LEAF', 'LEAF'];
      const next = modes.map((_, id) => Math.min(id + 1, depth));
      return model([tree(modes, next, new Array<number>(modes.length).fill(depth + 1), 'Classifier')]);
    };
    expect(isBounded(chain(50_000))).toBe(true);
    expect(isBounded(Buffer.concat([chain(50_000), chain(50_000)]))).toBe(false);
  });
});

describe('what cannot be read is not bounded', () => {
  test.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['a graph without nodes', model([])],
    ['no protobuf', Buffer.from('<!doctype html>')],
    ['a graph cut off', ours('heart-failure').subarray(0, 5000)],
    ['functions, which may be called like anything', Buffer.concat([model([node('Add')]), field(25, 'f')])],
    // A field of 79 bytes to protobuf.
    [
      'ONNX Runtime’s own format',
      Buffer.concat([
        Buffer.from([0x7a, 79, 0, 0]),
        Buffer.from('ORTM'),
        Buffer.alloc(73),
        model([node('Add')]),
      ]),
    ],
    [
      'an attribute that is there twice',
      model([node('Add', { attributes: [field(1, 'a'), field(1, 'a')] })]),
    ],
  ])('%s', (_, bytes) => {
    expect(isBounded(bytes)).toBe(false);
  });
});

import { fieldsOf, numbersIn, type Field } from './protobuf-fields.js';

/**
 * Whether the cost of a run depends only on the number of rows, so that what was measured holds for every row. Only
 * then may a graph run on the event loop: nothing can stop a run, and one row could ask for one without end, or for
 * all the memory there is (a Loop that repeats as often as a feature says).
 *
 * True only for what is known. The graph consists of the operators below, whose output's shape follows from the shapes
 * of their inputs; if it follows from an input's values, as in Reshape, these are constants. In trees the longest
 * path is counted: ONNX Runtime 1.30 loads trees whose branches form a cycle, and never gets out of them.
 */
export function isBounded(model: Uint8Array): boolean {
  try {
    // ONNX Runtime recognises a format of its own by these bytes, whatever else they may look like.
    if (Buffer.from(model.subarray(4, 8)).toString('latin1') === 'ORTM') return false;
    const { nodes, constants } = readGraph(model);
    const ways = nodes.map((node) => stepsOf(node, constants));
    return nodes.length > 0 && sum(ways) <= MAX_STEPS_PER_ROW;
  } catch {
    return false;
  }
}

/** Steps from root to leaf, summed over all trees; this many take about a millisecond. */
const MAX_STEPS_PER_ROW = 100_000;

/** Field numbers in onnx.proto. */
const MODEL = { graph: 7, functions: 25 };
const GRAPH = { node: 1, initializer: 5 };
const NODE = { input: 1, output: 2, operator: 4, attribute: 5, domain: 7 };
const ATTRIBUTE = { name: 1, ints: 8, strings: 9 };
const TENSOR = { name: 8 };

const OPERATORS = new Set(
  `Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BatchNormalization Cast Ceil Celu Clip Concat Constant Cos
  Cosh Div Dropout Elu Equal Erf Exp Flatten Floor Gather GatherElements Gelu Gemm Greater GreaterOrEqual HardSigmoid
  HardSwish Hardmax Identity IsInf IsNaN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
  LpNormalization MatMul Max Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal ReduceL1
  ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
  Round Selu Shape Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan Tanh
  ThresholdedRelu TopK Transpose Unsqueeze Where Xor`.split(/\s+/),
);
const LEARNT_OPERATORS = new Set(
  `ArrayFeatureExtractor Binarizer FeatureVectorizer Imputer LabelEncoder LinearClassifier LinearRegressor Normalizer
  OneHotEncoder SVMClassifier SVMRegressor Scaler TreeEnsembleClassifier TreeEnsembleRegressor ZipMap`.split(
    /\s+/,
  ),
);
/** Operators whose later inputs determine the shape of the output. */
const SHAPED_BY_VALUES = /^(Reshape|Slice|Split|Squeeze|TopK|Unsqueeze|Reduce\w+)$/;

interface Node {
  operator: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Map<string, Attribute>;
}

interface Attribute {
  ints: number[];
  strings: string[];
}

/** The length of the longest path through its trees; infinite if a run has no bound. */
function stepsOf(node: Node, constants: ReadonlySet<string>): number {
  const { operator, domain, inputs } = node;
  if (domain === 'ai.onnx.ml') {
    if (!LEARNT_OPERATORS.has(operator)) return Infinity;
    return operator.startsWith('TreeEnsemble') ? longestWays(node) : 0;
  }
  if ((domain !== '' && domain !== 'ai.onnx') || !OPERATORS.has(operator)) return Infinity;
  const shapes = SHAPED_BY_VALUES.test(operator) ? inputs.slice(1) : [];
  return shapes.every((name) => name === '' || constants.has(name)) ? 0 : Infinity;
}

/** The paths from every root to its farthest leaf, added up; infinite if there is a cycle. */
function longestWays({ attributes }: Node): number {
  const ints = (name: string) => attributes.get(name)?.ints ?? [];
  const [trees, ids] = [ints('nodes_treeids'), ints('nodes_nodeids')];
  const [whereTrue, whereFalse] = [ints('nodes_truenodeids'), ints('nodes_falsenodeids')];
  const modes = attributes.get('nodes_modes')?.strings ?? [];
  const numbers = [trees, ids, whereTrue, whereFalse];
  if (numbers.some((each) => each.length !== modes.length || !each.every(Number.isSafeInteger))) {
    return Infinity;
  }
  const indices = new Map<number, Map<number, number>>();
  for (const [index, tree] of trees.entries()) {
    const ofTree = indices.get(tree) ?? new Map<number, number>();
    indices.set(tree, ofTree);
    if (ofTree.has(ids[index]!)) return Infinity;
    ofTree.set(ids[index]!, index);
  }
  const children = modes.map((mode, index) => {
    const indexOf = (id: number) => indices.get(trees[index]!)!.get(id) ?? NaN;
    return mode === 'LEAF' ? [] : [indexOf(whereTrue[index]!), indexOf(whereFalse[index]!)];
  });

  const BEGUN = -1;
  const ways = new Array<number | undefined>(ids.length);
  const hasParent = new Set<number>();
  for (const [start] of ids.entries()) {
    // Without recursion: a tree may be as deep as its number of nodes.
    for (const path = [start]; path.length > 0;) {
      const index = path.at(-1)!;
      const known = ways[index];
      if (known === undefined) {
        ways[index] = BEGUN;
        for (const child of children[index]!) {
          if (Number.isNaN(child) || ways[child] === BEGUN) return Infinity;
          hasParent.add(child);
          if (ways[child] === undefined) path.push(child);
        }
        continue;
      }
      path.pop();
      if (known === BEGUN) ways[index] = 1 + Math.max(0, ...children[index]!.map((child) => ways[child]!));
    }
  }
  return sum(ids.map((_, index) => (hasParent.has(index) ? 0 : ways[index]!)));
}

/** Those of the graph itself; what is inside attributes belongs to operators that are unknown here. */
function readGraph(model: Uint8Array): { nodes: Node[]; constants: Set<string> } {
  const nodes: Node[] = [];
  const constants = new Set<string>();
  for (const { number, value } of fieldsOf(model)) {
    if (number === MODEL.functions) throw new Error('its operators may be anything');
    if (number !== MODEL.graph) continue;
    for (const field of fieldsOf(bytesOf(value))) {
      if (field.number === GRAPH.node) nodes.push(readNode(bytesOf(field.value)));
      if (field.number === GRAPH.initializer) constants.add(readName(bytesOf(field.value)));
    }
  }
  for (const { operator, outputs } of nodes) {
    if (operator === 'Constant') for (const output of outputs) constants.add(output);
  }
  return { nodes, constants };
}

function readNode(bytes: Uint8Array): Node {
  const node: Node = { operator: '', domain: '', inputs: [], outputs: [], attributes: new Map() };
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === NODE.operator) node.operator = textOf(value);
    if (number === NODE.domain) node.domain = textOf(value);
    if (number === NODE.input) node.inputs.push(textOf(value));
    if (number === NODE.output) node.outputs.push(textOf(value));
    if (number !== NODE.attribute) continue;
    const [name, attribute] = readAttribute(bytesOf(value));
    if (node.attributes.has(name)) throw new Error('an attribute is there twice');
    node.attributes.set(name, attribute);
  }
  return node;
}

function readAttribute(bytes: Uint8Array): [string, Attribute] {
  let name = '';
  const ints: number[][] = [];
  const strings: string[] = [];
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === ATTRIBUTE.name) name = textOf(value);
    if (number === ATTRIBUTE.ints) ints.push(numbersIn(value));
    if (number === ATTRIBUTE.strings) strings.push(textOf(value));
  }
  return [name, { ints: ints.flat(), strings }];
}

function readName(tensor: Uint8Array): string {
  let name = '';
  for (const { number, value } of fieldsOf(tensor)) if (number === TENSOR.name) name = textOf(value);
  return name;
}

function bytesOf(value: Field['value']): Uint8Array {
  if (typeof value === 'number') throw new Error('a message is a number');
  return value;
}

function textOf(value: Field['value']): string {
  return Buffer.from(bytesOf(value)).toString('utf8');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

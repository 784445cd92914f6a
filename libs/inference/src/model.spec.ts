import { createHash } from 'node:crypto';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { editJson } from '../../../test/support/artifacts.js';
import { PATIENT } from '../../../test/support/client.js';
import { createFolderForThisTest } from '../../../test/support/folders.js';
import { ArtifactError } from './artifact.js';
import type { Prediction, Row } from './row.js';
import { formatFloat32 } from './float32.js';
import { Model, TimeLimitExceeded } from './model.js';
import { ModelProcess } from './model-process.js';

// oxlint-disable-next-line typescript/no-explicit-any -- a test may change anything in any of the files
type Json = any;

const ARTIFACT = fileURLToPath(new URL('../../../model-artifacts/heart-failure/1', import.meta.url));

function probabilitiesOf(prediction: Prediction): readonly number[] {
  if (!('probabilities' in prediction)) throw new Error('not a classifier');
  return prediction.probabilities;
}

test('a call of many rows is answered completely, even by a model that is released meanwhile', async () => {
  const model = await Model.load(ARTIFACT, { maxQueued: 100 });
  const rows = Array.from({ length: 5000 }, (_, index): Row => [index % 90, 1000, 35, 500_000, 8, 135, 1, 0]);
  const asked = model.infer(rows);
  const [predictions] = await Promise.all([asked, model.release()]);
  expect(predictions).toHaveLength(5000);
  expect(probabilitiesOf(predictions[25]!)[1]).toBeCloseTo(0.5124506, 6);
  expect(predictions[4975]).toEqual(predictions[25]);
});

test('rows of a batch that have timed out are refused, and the others get their own answers', async () => {
  const model = await Model.load(ARTIFACT, { timeLimitMs: 1000 });
  const row = (age: number): Row => [age, 1000, 35, 500_000, 8, 135, 1, 0];
  const alone = await model.infer([row(60)]);
  const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
  const running = model.infer([row(20)]);
  const late = model.infer([row(30), row(40)], { owner: 'a' });
  clock.mockReturnValue(500);
  const inTime = model.infer([row(60)], { owner: 'b' });
  clock.mockReturnValue(1200);
  await expect(late).rejects.toBeInstanceOf(TimeLimitExceeded);
  expect(await inTime).toEqual(alone);
  clock.mockRestore();
  await Promise.all([running, model.release()]);
});

describe.each([
  ['where its measured time puts it', undefined],
  ['in a process of its own', 'own process'],
] as const)('the committed heart-failure model, %s,', (_, place) => {
  let model: Model;

  beforeAll(async () => {
    model = await Model.load(ARTIFACT, { place });
  });

  afterAll(() => model?.release());

  async function infer(features: Record<string, unknown>): Promise<readonly number[]> {
    const { row, errors } = model.coerce(features);
    expect(errors).toEqual([]);
    return probabilitiesOf((await model.infer([row]))[0]!);
  }

  test('says what it is', () => {
    expect(model.name).toBe('heart-failure');
    expect(model.version).toBe('1');
    expect(model.manifest).toMatchObject({ labels: ['0', '1'], threshold: 0.5 });
    expect(model.columns.map(({ name }) => name)).toEqual(Object.keys(PATIENT));
  });

  // From XGBoost, through the contract; repeated here so that a wrong golden.json is noticed.
  const [M, F] = [1, 0];
  test.each<[number, (number | null)[]]>([
    [0.5124506, [25, 1000, 35, 500000, 8, 135, M, 0]],
    [0.55330104, [25, 1000, 35, 500000, 8, 135, F, 0]],
    [0.9026563, [75, 582, 20, 265000, 1.9, 130, M, 1]],
    [0.18759595, [55, 7861, 38, 263358.03, 1.1, 136, M, 0]],
    [0.13463883, [60, 250, 60, 250000, 0.9, 140, F, 0]],
    [0.5014447, [null, null, null, null, null, null, null, null]],
  ])('answers the contract’s golden probability %d', async (expected, values) => {
    const features = Object.fromEntries(model.columns.map(({ name }, index) => [name, values[index]]));
    const [survived, died] = (await infer(features)) as [number, number];
    expect(Math.abs(died - expected)).toBeLessThanOrEqual(1e-6);
    expect(Math.abs(survived + died - 1)).toBeLessThanOrEqual(1e-6);
    expect(Math.fround(died)).toBe(died);
  });

  test('answers the first one exactly, to the last digit', async () => {
    const golden = await goldenCases();
    expect(formatFloat32((await infer(golden[0]!.input))[1]!)).toBe('0.5124506');
  });

  test('answers the same for the same values in other notations', async () => {
    const golden = await goldenCases();
    const features = golden[0]!.input;
    const asText = Object.fromEntries(
      Object.entries(features).map(([name, value]) => [name, ` ${String(value)} `]),
    );
    expect(await infer(asText)).toEqual(await infer(features));
    expect(await infer({ ...features, sex: true, high_blood_pressure: 'FALSE' })).toEqual(
      await infer(features),
    );
  });

  test('a row has the same bits alone and in batches of 2 to 256, at any position', async () => {
    const rows = (await goldenCases()).map(({ input }) => model.coerce(input).row);
    const alone: (readonly number[])[] = [];
    for (const row of rows) alone.push(probabilitiesOf((await model.infer([row]))[0]!));

    for (const size of [2, 3, 4, 7, 8, 16, 31, 64, 100, 128, 255, 256]) {
      const indices = Array.from({ length: size }, (_, place) => (place * 7 + size) % rows.length);
      const batch = await model.infer(indices.map((index) => rows[index]!));
      for (const [place, answer] of batch.entries()) {
        expect(probabilitiesOf(answer), `place ${place} of ${size}`).toEqual(alone[indices[place]!]);
      }
    }
  });

  test('a row that cannot become a tensor fails only its batch, and the model keeps answering', async () => {
    const wrong = new Array<number>(9).fill(0) as Row;
    await expect(model.infer([wrong])).rejects.toThrow(/values, the model takes 8/);
    const golden = await goldenCases();
    expect((await infer(golden[0]!.input))[1]).toBeCloseTo(0.5124506, 6);
  });
});

async function goldenCases() {
  const golden = JSON.parse(await readFile(join(ARTIFACT, 'golden.json'), 'utf8')) as {
    cases: { input: Record<string, unknown>; output: { probabilities: number[] } }[];
  };
  return golden.cases;
}

/** An artifact that the test may change. */
let folder: string;

async function copyArtifact(): Promise<void> {
  folder = createFolderForThisTest();
  await cp(ARTIFACT, folder, { recursive: true });
}

const change = (file: string, edit: (json: Json) => void) =>
  editJson(join(folder, file), (json) => {
    edit(json);
    return json;
  });

describe('whether the labels of a binary classifier are in the right order', () => {
  beforeEach(copyArtifact);

  const label = (labels: string[]) =>
    change('manifest.json', (manifest) => {
      manifest.labels = labels;
      delete manifest.label_descriptions;
    });

  async function warnings(): Promise<readonly string[]> {
    const candidate = await ModelProcess.open(folder);
    try {
      return (await candidate.load()).warnings;
    } finally {
      await candidate.release();
    }
  }

  test('is checked by the graph’s own label, if that is one of the manifest’s', async () => {
    expect(await warnings()).toEqual([]);
    await label(['1', '0']);
    await expect(warnings()).rejects.toThrow(
      'the manifest\'s labels ["1","0"] are in another order than the graph\'s: ' +
        'it chose the other label in 27 of 27 golden cases',
    );
  });

  test('is unknown if neither the graph nor a golden value names one of them: a warning', async () => {
    await label(['stays', 'leaves']);
    expect(await warnings()).toEqual([
      'golden.json has no labels, so it could not be checked whether the two labels of the manifest are in the right ' +
        'order. Add a "label" to its cases.',
    ]);
  });

  test('is checked by the labels of golden values', async () => {
    await label(['stays', 'leaves']);
    const { threshold } = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Json;
    await change('golden.json', ({ cases }) => {
      for (const { output } of cases) output.label = output.probabilities[1] > threshold ? 'leaves' : 'stays';
    });
    expect(await warnings()).toEqual([]);
    await label(['leaves', 'stays']);
    await expect(warnings()).rejects.toThrow(/case 0: label is stays, should be leaves/);
  });
});

describe('an artifact that cannot be used', () => {
  beforeEach(copyArtifact);

  /** The reason for the refusal; every reason names the folder. */
  async function refusal(): Promise<string> {
    const error = await Model.load(folder).then(
      async (model) => {
        await model.release();
        throw new Error('it was loaded');
      },
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(ArtifactError);
    const { message } = error as ArtifactError;
    expect(message).toContain(`The model artifact in ${folder} cannot be used: `);
    return message;
  }

  test('does not include the untouched copy: it loads', async () => {
    const model = await Model.load(folder);
    await model.release();
    expect(model.name).toBe('heart-failure');
  });

  test.each(['manifest.json', 'input_schema.json', 'golden.json', 'model.onnx'])(
    '%s is missing',
    async (file) => {
      await rm(join(folder, file));
      expect(await refusal()).toContain(`${file} cannot be read (ENOENT)`);
    },
  );

  test('the folder is missing', async () => {
    await rm(folder, { recursive: true });
    expect(await refusal()).toContain('manifest.json cannot be read (ENOENT)');
  });

  test.each(['manifest.json', 'input_schema.json', 'golden.json'])('%s is not JSON', async (file) => {
    const text = await readFile(join(folder, file), 'utf8');
    await writeFile(join(folder, file), text.slice(0, -3));
    expect(await refusal()).toContain(`${file} is not JSON`);
  });

  test('the manifest has an unknown field', async () => {
    await change('manifest.json', (manifest) => (manifest.treshold = 0.7));
    expect(await refusal()).toMatch(/manifest\.json is invalid: .*treshold/);
  });

  test('the manifest lacks fields: all of them are named', async () => {
    await change('manifest.json', (manifest) => {
      delete manifest.sha256;
      manifest.labels = ['1'];
    });
    expect(await refusal()).toMatch(/manifest\.json is invalid: .*sha256: .*labels: /);
  });

  const COLUMNS: Record<string, [edit: (columns: Json) => void, reason: string | RegExp]> = {
    'a column of an unknown type': [(columns) => (columns[0].type = 'text'), /columns\.0\.type: /],
    'a misspelt property': [(columns) => (columns[1].nullabel = true), /columns\.1: .*nullabel/],
    'two columns of one name': [(columns) => (columns[1].name = 'age'), /two columns have one name/],
    'a minimum for a boolean': [(columns) => (columns[6].minimum = 0), /columns\.6: only numeric/],
    'categories for a number': [(columns) => (columns[0].categories = ['a']), /columns\.0: only categorical/],
    'a default that does not fit its own column': [
      (columns) => (columns[0].default = 'unknown'),
      /the default of column age must be a number/,
    ],
    'a categorical column and the graph no input for it': [
      (columns) => (columns[0] = { name: 'age', type: 'categorical', categories: ['young', 'old'] }),
      "column age is categorical, and the graph's one input is features float32[-1,8]",
    ],
    'a column fewer than the graph: what was expected and what was found': [
      (columns) => columns.pop(),
      'input_schema.json has 7 columns, so the graph should have one input [-1,7] or one input [-1,1] for each, ' +
        'with its name; it has features float32[-1,8]',
    ],
  };
  test.each(Object.entries(COLUMNS))('the input schema has %s', async (_, [edit, reason]) => {
    await change('input_schema.json', ({ input_schema }) => edit(input_schema.columns));
    expect(await refusal()).toMatch(reason);
  });

  test('model.onnx is not the one in the manifest: both hashes are shown', async () => {
    await change('manifest.json', (manifest) => (manifest.sha256 = 'ab'.repeat(32)));
    const found = createHash('sha256')
      .update(await readFile(join(folder, 'model.onnx')))
      .digest('hex');
    expect(await refusal()).toContain(
      `the sha256 of model.onnx is ${found}, the manifest says ${'ab'.repeat(32)}`,
    );
  });

  test('a golden value is off by 1e-3: which case, and by how much', async () => {
    await change('golden.json', ({ cases }) => (cases[2].output.probabilities[1] += 1e-3));
    const message = await refusal();
    expect(message).toContain(
      'it does not reproduce its golden values: case 2: probabilities[1] is 0.902656',
    );
    expect(Number(/off by ([\d.e-]+)/.exec(message)?.[1])).toBeCloseTo(1e-3, 6);
    expect(message).toContain('allowed 0.000001');
    expect(message).not.toMatch(/case [013456789]/);
  });

  test('a golden value is off by twice its tolerance; half of it is accepted', async () => {
    const edit = (by: number) =>
      change('golden.json', ({ cases }) => (cases[0].output.probabilities[1] = 0.5124506 + by));
    await edit(0.5e-6);
    await (await Model.load(folder)).release();
    await edit(2e-6);
    expect(await refusal()).toContain('case 0');
  });

  test('a golden input does not fit the schema: which case and column', async () => {
    await change('golden.json', ({ cases }) => (cases[1].input.age = 'old'));
    expect(await refusal()).toMatch(/golden values: case 1: #\/age must be a number/);
  });

  test.each<[string, (graph: Buffer) => Buffer, RegExp]>([
    ['cut short', (graph) => graph.subarray(0, Math.floor(graph.length / 2)), /.+/],
    ['something else', () => Buffer.from('<!doctype html><title>404</title>'), /protobuf parsing failed/],
    // The version of its opset is its last byte.
    [
      'of an unknown opset',
      (graph) => Buffer.from(graph.with(graph.length - 1, 127)),
      /opset 127 is under development/i,
    ],
  ])('model.onnx is %s and the manifest agrees: ONNX Runtime’s reason', async (_, edit, reason) => {
    const graph = edit(await readFile(join(folder, 'model.onnx')));
    await writeFile(join(folder, 'model.onnx'), graph);
    await change('manifest.json', (manifest) => {
      manifest.sha256 = createHash('sha256').update(graph).digest('hex');
    });
    const message = await refusal();
    expect(message).toContain('ONNX Runtime does not load model.onnx: ');
    expect(message).toMatch(reason);
  });
});

import { expect, test } from 'vitest';
import { Model } from './model.js';

/** Exported with the converters' defaults, see `test/support/foreign-models/make.py`. */
const foreign = (name: string) => `test/support/foreign-models/${name}`;

test('a classifier with int64 labels answers its label and a probability for each', async () => {
  const model = await Model.load(foreign('int64-labels'));
  const { row } = model.coerce({ sepal_length: 6.3, sepal_width: 3.3, petal_length: 6, petal_width: 2.5 });
  expect(await model.infer([row])).toEqual([
    { label: '2', probabilities: [expect.any(Number), expect.any(Number), expect.any(Number)] },
  ]);
  await model.release();
});

test('a regression on float64 keeps what a float32 would round away', async () => {
  const model = await Model.load(foreign('float64'));
  const { row } = model.coerce({ sepal_length: '0.1', sepal_width: 1e-40, petal_length: 1e300 });
  expect(row).toEqual([0.1, 1e-40, 1e300]);
  const { row: ordinary } = model.coerce({ sepal_length: 5, sepal_width: 3, petal_length: 1 });
  expect(await model.infer([ordinary])).toEqual([{ value: expect.closeTo(-0.08406901, 7) }]);
  await model.release();
});

test('a graph with one tensor per column takes float32, int64 and strings, and any unknown category', async () => {
  const model = await Model.load(foreign('tensor-per-column'));
  const { row } = model.coerce({ size: 6, rooms: '3', colour: 'red' });
  expect(row).toEqual([6, 3, 'red']);
  const { row: violet } = model.coerce({ size: 1, rooms: 1, colour: 'violet' });
  expect(await model.infer([row, violet])).toMatchObject([{ label: 'palace' }, { label: 'hut' }]);
  expect(model.coerce({ size: 6, rooms: 2.5, colour: 'red' }).errors).toEqual([
    { detail: 'must be a whole number', pointer: '#/rooms' },
  ]);
  await model.release();
});

test('rows of different kinds share a run and each gets its own answer', async () => {
  const model = await Model.load(foreign('tensor-per-column'));
  const cases = [
    { features: { size: 1, rooms: 1, colour: 'red' }, label: 'hut' },
    { features: { size: 3, rooms: 2, colour: 'red' }, label: 'house' },
    { features: { size: 6, rooms: 3, colour: 'blue' }, label: 'palace' },
  ];
  const answers = await model.infer(
    Array.from({ length: 90 }, (_, index) => model.coerce(cases[index % 3]!.features).row),
  );
  expect(answers.map((answer) => ('label' in answer ? answer.label : ''))).toEqual(
    Array.from({ length: 90 }, (_, index) => cases[index % 3]!.label),
  );
  await model.release();
});

test('a ZipMap is refused with a hint on how to export without it', async () => {
  await expect(Model.load(foreign('zipmap'))).rejects.toThrow(
    /output_probability is a ZipMap.*"zipmap": False/,
  );
});

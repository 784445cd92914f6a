import { describe, expect, test } from 'vitest';
import { PATIENT } from '../support/client.js';
import { prepareService } from '../support/prepared-service.js';

const { post, recordOf } = prepareService();

const PATIENT_MEMBERS = JSON.stringify(PATIENT).slice(1, -1);
const OTHERS = Object.entries(PATIENT).slice(1);
const tensor = (name: string, value: string) =>
  `{"name":"${name}","shape":[1],"datatype":"FP64","data":[${value}]}`;

interface Form {
  path: string;
  /** A body with one more member that the answer does not depend on, and the depth of that member. */
  withExtra(json: string): string;
  levels: number;
  /** A body of a patient whose age is written this way. */
  withAge(number: string): string;
  /** What is recorded of these. */
  extraIn(input: unknown): unknown;
  ageIn(input: unknown): unknown;
}

/* oxlint-disable typescript/no-explicit-any -- what is recorded is of any shape */
const records = (layout: string, path: string): Form => ({
  path,
  levels: 3,
  withExtra: (json) => `{"${layout}":[{${PATIENT_MEMBERS},"x":${json}}]}`,
  withAge: (number) => `{"${layout}":[{"age":${number},${PATIENT_MEMBERS.replace('"age":25,', '')}}]}`,
  extraIn: (input: any) => input[layout][0].x,
  ageIn: (input: any) => input[layout][0].age,
});
const FORMS: [string, Form][] = [
  [
    'plain',
    {
      path: '/predict',
      levels: 1,
      withExtra: (json) => `{${PATIENT_MEMBERS},"x":${json}}`,
      withAge: (number) => `{"age":${number},${PATIENT_MEMBERS.replace('"age":25,', '')}}`,
      extraIn: (input: any) => input.x,
      ageIn: (input: any) => input.age,
    },
  ],
  ['instances', records('instances', '/models/heart-failure/predict')],
  ['MLflow records', records('dataframe_records', '/invocations')],
  [
    'MLflow split',
    {
      path: '/invocations',
      levels: 4,
      withExtra: (json) =>
        `{"dataframe_split":{"columns":["x",${Object.keys(PATIENT).map((name) => `"${name}"`)}],"data":[[${json},${Object.values(PATIENT)}]]}}`,
      withAge: (number) =>
        `{"dataframe_split":{"columns":[${Object.keys(PATIENT).map((name) => `"${name}"`)}],"data":[[${number},${OTHERS.map(([, value]) => value)}]]}}`,
      extraIn: (input: any) => input.dataframe_split.data[0][0],
      ageIn: (input: any) => input.dataframe_split.data[0][0],
    },
  ],
  [
    'OIP',
    {
      path: '/v2/models/heart-failure/infer',
      levels: 2,
      withExtra: (json) =>
        `{"parameters":{"x":${json}},"inputs":[${Object.entries(PATIENT).map(([name, value]) => tensor(name, String(value)))}]}`,
      withAge: (number) =>
        `{"inputs":[${[tensor('age', number), ...OTHERS.map(([name, value]) => tensor(name, String(value)))]}]}`,
      extraIn: (input: any) => input.parameters.x,
      ageIn: (input: any) => input.inputs[0].data[0],
    },
  ],
];
/* oxlint-enable typescript/no-explicit-any */

const ask = ({ path }: Form, body: string) => post(path, body);

describe.each(FORMS)('%s', (_, form) => {
  test.each([
    ['1e999', 'Infinity'],
    ['-1e999', '-Infinity'],
    ['[1,{"y":[-1e999,null,"Infinity"]}]', [1, { y: ['-Infinity', null, 'Infinity'] }]],
    ['1e-999', 0],
  ])('a number too large for a float in an unused member: %s', async (json, recorded) => {
    const answer = await ask(form, form.withExtra(json));
    expect(answer.status, answer.text).toBe(200);
    expect(form.extraIn((await recordOf(answer)).input)).toEqual(recorded);
  });

  test.each([
    ['1e999', 'Infinity'],
    ['-1e999', '-Infinity'],
    ['9'.repeat(100_000), 'Infinity'],
    [`-${'9'.repeat(100_000)}.5`, '-Infinity'],
  ])(
    'a number beyond all floats for a column is refused, and not taken for a missing value',
    async (number, recorded) => {
      const answer = await ask(form, form.withAge(number));
      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(/must fit a 32-bit floating point number/);
      expect(answer.text.length).toBeLessThan(1_000);
      expect(form.ageIn((await recordOf(answer)).input)).toBe(recorded);
    },
  );

  test.each([
    ['25.', `25.${'0'.repeat(100_000)}`, 25],
    ['a third', `0.${'3'.repeat(100_000)}`, 1 / 3],
    ['almost nothing', `0.${'0'.repeat(100_000)}1`, 0],
  ])('a hundred thousand digits that are a number: %s', async (_what, number, value) => {
    const answer = await ask(form, form.withAge(number));
    expect(answer.status, answer.text).toBe(200);
    expect(form.ageIn((await recordOf(answer)).input)).toBe(value);
  });

  test('the maximum depth, and one deeper', async () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    const levels = 32 - form.levels;
    const answer = await ask(form, form.withExtra(nested(levels)));
    expect(answer.status, answer.text).toBe(200);
    expect(JSON.stringify(form.extraIn((await recordOf(answer)).input))).toBe(nested(levels));
    const refused = await ask(form, form.withExtra(nested(levels + 1)));
    expect(refused.status).toBe(400);
    expect(refused.text).toMatch(/nested deeper than 32 levels/);
    expect(await recordOf(refused)).toMatchObject({ status_code: 400, input: null, output: refused.body });
  });

  test('of a duplicate key the last value counts, for the answer and for the record', async () => {
    const body = form.withAge('25');
    const twice = body.includes('"age":25')
      ? body.replace('"age":25', '"age":75,"age":"old","age":25')
      : body.replace('"data":', '"data":[[1]],"data":');
    const [answer, once] = [await ask(form, twice), await ask(form, body)];
    expect(answer.status, answer.text).toBe(200);
    const [record, expected] = [await recordOf(answer), await recordOf(once)];
    expect(record.input).toEqual(JSON.parse(twice));
    expect(record.input).toEqual(expected.input);
    const { request_id: _a, ...told } = answer.body;
    const { request_id: _b, ...right } = once.body;
    expect(told).toEqual(right);
  });
});

test('a hundred thousand digits in a cell of CSV are not accepted as a number', async () => {
  const csv = `${Object.keys(PATIENT)}\n${['9'.repeat(100_000), ...OTHERS.map(([, value]) => value)]}\n`;
  const answer = await post('/invocations', csv, { 'content-type': 'text/csv' });
  expect(answer.body.message).toMatch(/^Inputs \['age'\].*must be at most 1000 characters long/);
  expect(JSON.stringify((await recordOf(answer)).input).length).toBeLessThan(1_000);
});

test('an unknown column that looks like a missing one is named in an instance, too', async () => {
  const { age, ...rest } = PATIENT;
  const body = { instances: [PATIENT, { ...rest, AGE: age }] };
  const answer = await post('/models/heart-failure/predict', body);
  expect(answer.body.errors).toEqual([
    { detail: "is required: unknown column 'AGE'; did you mean 'age'?", pointer: '#/instances/1/age' },
  ]);
});

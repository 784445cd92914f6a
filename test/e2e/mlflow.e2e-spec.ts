import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MISSING_VALUES } from '#libs/inference';
import { startApiForThisTest } from '../support/test-api.js';
import { call, PATIENT, type Answer } from '../support/client.js';
import { recordsOfRequest } from '../support/records.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';

const MAX_BODY_BYTES = 400_000;
const COLUMNS = Object.keys(PATIENT);
const ROW = Object.values(PATIENT);
const OLD = { ...PATIENT, age: 75 };
const PROBA = { params: { predict_method: 'predict_proba' } };
const NOT_CONVERTIBLE = 'must be a number, or a string in plain decimal notation';

const MODEL_DIR = createModelDir({ foreign: ['tensor-per-column', 'float64'] });
copyWithCategory('NA', join(MODEL_DIR, 'words', '1'));
const { database, api, user, post, recordOf } = prepareService({
  MODEL_DIR,
  MAX_BODY_BYTES: String(MAX_BODY_BYTES),
});

/** A model with one more colour, whose name pandas reads as a missing value. */
function copyWithCategory(category: string, folder: string): void {
  cpSync('test/support/foreign-models/tensor-per-column', folder, { recursive: true });
  const change = (file: string, from: string, to: string) => {
    const path = join(folder, file);
    writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
  };
  change('manifest.json', '"tensor-per-column"', '"words"');
  change('input_schema.json', '"categorical"', `"categorical", "categories": ["red", "blue", "${category}"]`);
}

const score = (body: object | string, path = '/invocations', type = 'application/json') =>
  post(path, body, { 'content-type': type });

const csv = (text: string, path?: string) => score(text, path, 'text/csv');

function expectError(answer: Answer, status: number, code: string, message: string | RegExp): void {
  expect(answer.body).toEqual({ error_code: code, message: expect.stringMatching(message) });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
}

const escaped = (text: string) => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}$`);

describe('without a token', () => {
  test('/ping is a line break with the media type of JSON', async () => {
    const answer = await fetch(`${api.url}/ping`);
    expect([answer.status, await answer.text()]).toEqual([200, '\n']);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json(;|$)/);
  });

  test('/version is a version; in production it is empty', async () => {
    const answer = await call(api, 'GET', '/version');
    expect([answer.status, answer.text]).toEqual([200, '0.2.0']);
    const production = await startApiForThisTest({
      DATABASE_URL: database.url,
      JWT_SECRET: 'a secret of at least thirty-two bytes',
      APP_ENV: 'production',
    });
    const hidden = await call(production, 'GET', '/version');
    const nothing = await call(production, 'GET', '/nothing');
    const { request_id: _, ...told } = hidden.body;
    expect(hidden.status).toBe(404);
    expect(nothing.body).toMatchObject(told);
    expect((await fetch(`${production.url}/ping`)).status).toBe(200);
  });

  test.each([undefined, 'nonsense'])('/invocations is 401 in the form of the protocol', async (token) => {
    const answer = await call(api, 'POST', '/invocations', { body: { instances: [PATIENT] }, token });
    expectError(answer, 401, 'UNAUTHENTICATED', /token/);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });
});

/** Two patients in every layout; the second is older and gets the other label. */
const ROWS = [ROW, Object.values(OLD)];
const BY_COLUMN = Object.fromEntries(COLUMNS.map((name, index) => [name, ROWS.map((row) => row[index])]));
const LAYOUTS: Record<string, object> = {
  dataframe_split: { dataframe_split: { columns: COLUMNS, index: [0, 1], data: ROWS } },
  'dataframe_split without names': { dataframe_split: { data: ROWS } },
  'dataframe_split with the numbers that pandas gives columns without names': {
    dataframe_split: { columns: [...ROW.keys()], data: ROWS },
  },
  dataframe_records: { dataframe_records: [PATIENT, OLD] },
  'dataframe_records by number': { dataframe_records: ROWS.map((row) => ({ ...row })) },
  'instances of records': { instances: [PATIENT, OLD] },
  'instances of rows': { instances: ROWS },
  'inputs by column': { inputs: BY_COLUMN },
  'instances by column, as MLflow takes them': { instances: BY_COLUMN },
  'inputs of rows': { inputs: ROWS },
  'inputs of records': { inputs: [PATIENT, OLD] },
  'data, which is ours': { data: ROWS },
  'a bare split, which is ours and what pandas writes, in another order': {
    columns: COLUMNS.toReversed(),
    index: [0, 1],
    data: ROWS.map((row) => row.toReversed()),
  },
  'columns in another order, as text, and more than there are': {
    dataframe_split: {
      columns: ['note', ...COLUMNS.toReversed()],
      data: ROWS.map((row) => ['x', ...row.toReversed().map(String)]),
    },
  },
};

describe('answers', () => {
  test.each(Object.entries(LAYOUTS))('%s', async (_, body) => {
    const answer = await score({ ...body, ...PROBA });
    expect(answer.text).toMatch(/^\{"predictions":\[\[0\.\d+,0\.5124506\],\[0\.\d+,0\.\d+\]\]\}$/);
    const labels = await score(body);
    expect(labels.status).toBe(200);
    expect(labels.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const expected = answer.body.predictions.map(([, second]: [number, number]) => (second > 0.5 ? 1 : 0));
    expect(labels.body).toEqual({ predictions: expected });
  });

  test.each(['inputs', 'instances'])('%s with one value per column are one row', async (layout) => {
    expect((await score({ [layout]: PATIENT })).text).toBe('{"predictions":[1]}');
  });

  test('a byte order mark before the JSON is ignored', async () => {
    const answer = await score(`\uFEFF${JSON.stringify({ instances: [ROW] })}`);
    expect(answer.text).toBe('{"predictions":[1]}');
    expect((await recordOf(answer)).input).toEqual({ instances: [ROW] });
  });

  test('one record: the rows, the dialect, the question, what was ignored, and the answer as sent', async () => {
    const body = { dataframe_records: [{ ...PATIENT, note: 'x' }, OLD, PATIENT] };
    const answer = await score(body);
    expect(await recordOf(answer)).toMatchObject({
      user_id: user.id,
      model: 'heart-failure',
      model_version: '1',
      dialect: 'mlflow',
      row_count: 3,
      input: body,
      ignored_columns: ['note'],
      status_code: 200,
      output: answer.body,
    });
  });

  test.each([
    ['a classifier of texts: its label', 'iris', 'predict', [expect.stringMatching(/^[a-z]+$/)]],
    [
      'the same with probabilities',
      'iris',
      'predict_proba',
      [[expect.any(Number), expect.any(Number), expect.any(Number)]],
    ],
    ['a regression: its value', 'california-housing', 'predict', [expect.any(Number)]],
  ])('%s', async (_, name, predict_method, expected) => {
    const { body: document } = await call(api, 'GET', '/docs-json');
    const { example } =
      document.paths[`/models/${name}/predict`].post.requestBody.content['application/json'];
    const body = { dataframe_records: [example], params: { predict_method } };
    for (const path of [
      `/models/${name}/invocations`,
      `/models/${name}/versions/1/invocations`,
      `/models/${name}@production/invocations`,
      `/invocations?model=${name}`,
      `/invocations?model=${name}@production`,
      `/invocations?model=${encodeURIComponent(`models:/${name}/1`)}`,
      `/invocations?model=models:/${name}/Production`,
    ]) {
      const answer = await score(body, path);
      expect(answer.body, path).toEqual({ predictions: expected });
      expect(await recordOf(answer)).toMatchObject({ model: name, dialect: 'mlflow', row_count: 1 });
    }
  });

  test('no rows: no predictions', async () => {
    for (const body of [
      { instances: [] },
      { dataframe_split: { columns: COLUMNS, data: [] } },
      { inputs: [] },
    ]) {
      const answer = await score(body);
      expect(answer.text).toBe('{"predictions":[]}');
      expect(await recordOf(answer)).toMatchObject({ row_count: 0, status_code: 200 });
    }
  });

  test('as many rows as the body holds, even more than may wait for the model', async () => {
    const count = 12_000;
    const answer = await csv(`${COLUMNS}\n${`${ROW}\n`.repeat(count)}`);
    expect(answer.body.predictions).toEqual(new Array(count).fill(1));
    expect(await recordOf(answer)).toMatchObject({ row_count: count });
  });

  test('parameters that no model knows are ignored', async () => {
    expect((await score({ instances: [PATIENT], params: { temperature: 1 } })).status).toBe(200);
    expect((await score({ instances: [PATIENT], params: null })).status).toBe(200);
  });
});

describe('CSV', () => {
  test('is answered as JSON, and recorded as the equivalent JSON', async () => {
    const answer = await csv(`${COLUMNS},note\n${ROW},"a, ""b""\nc"\n`);
    expect(answer.text).toBe('{"predictions":[1]}');
    expect(await recordOf(answer)).toMatchObject({
      dialect: 'mlflow',
      row_count: 1,
      ignored_columns: ['note'],
      input: {
        dataframe_split: { columns: [...COLUMNS, 'note'], data: [[...ROW.map(String), 'a, "b"\nc']] },
      },
    });
  });

  test.each([
    ['line ends of Windows, and a byte order mark', `\uFEFF${COLUMNS}\r\n${ROW}\r\n`, 'text/csv'],
    ['no line end at the end', `${COLUMNS}\n${ROW}`, 'text/csv; charset=utf-8'],
    ['empty lines', `\n${COLUMNS}\n\n${ROW}\n\n\n`, 'text/csv;charset=UTF-8'],
    ['quotes that need not be', `${COLUMNS}\n${ROW.map((value) => `"${value}"`)}\n`, 'Text/CSV'],
    ['the index that pandas writes', `,${COLUMNS}\n0,${ROW}\n`, 'text/csv'],
    ['columns in another order', `${COLUMNS.toReversed()}\n${ROW.toReversed()}\n`, 'text/csv'],
    ['the numbers that pandas gives columns without names', `${[...ROW.keys()]}\n${ROW}\n`, 'text/csv'],
  ])('with %s', async (_, text, type) => {
    expect((await score(text, undefined, type)).text).toBe('{"predictions":[1]}');
  });

  test('an empty cell is a missing value', async () => {
    const empty = await csv(`${COLUMNS}\n${COLUMNS.map(() => '')}\n`);
    expect((await recordOf(empty)).input).toEqual({
      dataframe_split: { columns: COLUMNS, data: [COLUMNS.map(() => null)] },
    });
    expect(empty.text).toBe('{"predictions":[1]}');
  });

  test('what pandas reads as a missing value is missing, in every column', async () => {
    const words = [...MISSING_VALUES];
    const rows = words.map((word) => COLUMNS.map(() => word));
    const answer = await csv(`${COLUMNS}\n${rows.map((row) => `${row}\n`).join('')}`);
    expect(answer.text).toBe(`{"predictions":[${words.map(() => 1)}]}`);
    expect((await recordOf(answer)).input).toEqual({
      dataframe_split: { columns: COLUMNS, data: rows.map((row) => row.map(() => null)) },
    });
    for (const word of ['Na', 'NIL', ' NA', 'Infinity']) {
      expectError(
        await csv(`${COLUMNS}\n${word},${ROW.slice(1)}\n`),
        400,
        'INVALID_PARAMETER_VALUE',
        /^Inputs \['age'\]/,
      );
    }
  });

  test('a word that a categorical column lists is that category, even if pandas reads it as missing', async () => {
    const score = (colour: string) => csv(`size,rooms,colour\n6,3,${colour}\n`, '/models/words/invocations');
    const answer = await score('NA');
    expect(answer.status, answer.text).toBe(200);
    expect((await recordOf(answer)).input).toEqual({
      dataframe_split: { columns: ['size', 'rooms', 'colour'], data: [['6', '3', 'NA']] },
    });
    expectError(await score('N/A'), 400, 'INVALID_PARAMETER_VALUE', /colour must not be null/);
  });

  test('text in JSON stays text: "NaN" is not a number', async () => {
    const answer = await score({ dataframe_split: { columns: COLUMNS, data: [['NaN', ...ROW.slice(1)]] } });
    expectError(answer, 400, 'INVALID_PARAMETER_VALUE', /^Inputs \['age'\] have values/);
  });

  test('zeros and ones may be floats, as pandas writes a column that has gaps', async () => {
    const { age, sex, ...others } = PATIENT;
    const rows = [`${age},${sex}.0`, `${age},0.0`, ','].map((row) => `${row},${Object.values(others)}\n`);
    const answer = await csv(`age,sex,${Object.keys(others)}\n${rows.join('')}`);
    expect(answer.text).toBe('{"predictions":[1,1,1]}');
    expect((await recordOf(answer)).input).toMatchObject({
      dataframe_split: { data: rows.map((row) => expect.arrayContaining([row.split(',')[1] || null])) },
    });
  });

  test('only a header: no predictions, unless a column is missing', async () => {
    expect((await csv(`${COLUMNS}\n`)).text).toBe('{"predictions":[]}');
    expectError(
      await csv(`${COLUMNS.slice(1)}\n`),
      400,
      'INVALID_PARAMETER_VALUE',
      /^Model is missing inputs \['age'\]\.$/,
    );
  });

  test.each([
    ['nothing', '', /^The body is empty/],
    [
      'a line that is too short',
      `${COLUMNS}\n${ROW}\n1,2\n`,
      /^Line 3 of the CSV has 2 cells, its header 8\.$/,
    ],
    [
      'a line that is too long, after a cell of two lines',
      `${COLUMNS},note\n${ROW},"a\nb"\n\n${ROW},c,d\n`,
      /^Line 5 of the CSV has 10 cells, its header 9\.$/,
    ],
    ['a quote that never closes', `${COLUMNS}\n${ROW}\n"25,1\n2\n`, /never closes, in line 3\.$/],
    ['a quote within a cell', `${COLUMNS}\n"2"5,1,1,1,1,1,1,1\n`, /quote where none may stand, in line 2\.$/],
    ['a column twice', `${COLUMNS},age\n${ROW},1\n`, /the column "age" twice/],
    ['another encoding', Buffer.from(`${COLUMNS},é\n`, 'latin1') as never, /UTF-8/],
  ])('with %s: 400, recorded', async (_, text, message) => {
    const answer = await csv(text);
    expectError(answer, 400, 'BAD_REQUEST', message);
    expect(await recordOf(answer)).toMatchObject({
      dialect: 'mlflow',
      input: null,
      row_count: null,
      status_code: 400,
      output: answer.body,
    });
  });
});

describe('refuses', () => {
  async function expectRefused(body: unknown, code: string, message: RegExp): Promise<void> {
    const answer = await score(body as object);
    expectError(answer, 400, code, message);
    expect(answer.text).not.toMatch(/secret|private/);
    const { output, ...record } = await recordOf(answer);
    expect(record).toMatchObject({ dialect: 'mlflow', status_code: 400 });
    expect(output).toEqual(answer.body);
  }
  type Refused = [body: unknown, message: RegExp];

  const NO_TABLE: Record<string, Refused> = {
    'what is not JSON': ['this is,,,, not valid json', /not JSON/],
    'a number': ['1', /JSON dictionary with exactly one of the input fields/],
    'a text': ['"1"', /JSON dictionary with exactly one of the input fields/],
    'a list': [[1], /JSON dictionary with exactly one of the input fields/],
    'no layout': [{ not: 'a serialized dataframe' }, /exactly one of the input fields/],
    'two layouts': [{ dataframe_records: [], dataframe_split: { data: [] } }, /exactly one of/],
    'a split that is a list': [
      { dataframe_split: [PATIENT] },
      /^Dataframe split format must be a dictionary\. Got list\.$/,
    ],
    'records that are a split': [
      { dataframe_records: { data: [ROW] } },
      /^Dataframe records format must be a list of records\. Got dictionary\.$/,
    ],
    'an index of another length': [
      { dataframe_split: { index: [1, 2], data: [[1], [2], [3]] } },
      /^Provided dataframe_split field is not a valid dataframe representation/,
    ],
    'a split without data': [{ dataframe_split: { columns: COLUMNS } }, /must have a list 'data'/],
    'a split with more': [{ dataframe_split: { data: [ROW], name: 'x' } }, /and nothing else/],
    'a column twice': [
      { dataframe_split: { columns: ['age', 'age'], data: [[1, 2]] } },
      /two of its columns/,
    ],
    'names that are no names': [{ dataframe_split: { columns: [null], data: [[1]] } }, /list of names/],
    'a record that is a number': [{ dataframe_records: [PATIENT, 5] }, /row 1 is not a record/],
    'a row that is too short': [{ instances: [ROW, [1, 2]] }, /row 1 has 2, and there are 8 columns/],
    'a row that is not a list': [{ dataframe_split: { columns: COLUMNS, data: [5] } }, /row 0 is no list/],
    'plain values for several columns': [{ instances: [1, 2] }, /row 0 has 1, and there are 8/],
    'columns of several lengths': [
      { inputs: { age: [1, 2], sex: [1] } },
      /length of values for each input\/column name/,
    ],
    'instances by column, of several lengths': [
      { instances: { age: [1, 2], sex: [1] } },
      /length of values for each input\/column name/,
    ],
    'instances that are no table': [{ instances: 5 }, /must be a list of rows, or of columns by name/],
    'a bare split whose columns are none': [
      { columns: 8, data: [ROW] },
      /^Provided data field is not a valid table: 'columns' must be a list of names\.$/,
    ],
    'parameters that are none': [{ instances: [PATIENT], params: 5 }, /"params" must be an object/],
  };
  const NOT_FOR_THE_MODEL: Record<string, Refused> = {
    'a bare split of other columns': [
      { columns: COLUMNS.slice(1), data: [ROW.slice(1)] },
      /^Model is missing inputs \['age'\]\.$/,
    ],
    'a missing column': [
      { dataframe_split: { columns: COLUMNS.slice(1), data: [ROW.slice(1)] } },
      /^Model is missing inputs \['age'\]\.$/,
    ],
    'all missing in every row': [
      { dataframe_records: [{}, {}] },
      escaped(`Model is missing inputs [${COLUMNS.map((name) => `'${name}'`).join(', ')}].`),
    ],
    'some missing in some rows': [
      {
        dataframe_records: [
          PATIENT,
          { ...PATIENT, sex: undefined },
          { ...PATIENT, age: undefined, platelets: undefined },
          { ...PATIENT, sex: undefined },
        ],
      },
      escaped(
        "Model is missing inputs ['sex', 'age', 'platelets'] in some rows, first: sex (row 1), age (row 2), " +
          'platelets (row 2). Rows are counted from 0.',
      ),
    ],
    'one missing everywhere and one in a row': [
      {
        dataframe_records: [
          { ...PATIENT, age: undefined, sex: undefined },
          { ...PATIENT, age: undefined },
        ],
      },
      /^Model is missing inputs \['age'\]; and \['sex'\] in some rows, first: sex \(row 0\)\. Rows are counted from 0\.$/,
    ],
    'a column that is not the model’s, and looks like one of its': [
      { dataframe_records: [{ ...PATIENT, age: undefined, Age: 25 }] },
      /^Model is missing inputs \['age'\]\. Unknown column 'Age'; did you mean 'age'\?$/,
    ],
    'the same in one of several rows': [
      { dataframe_records: [PATIENT, { ...PATIENT, sex: undefined, Sex: 1 }] },
      /\(row 1\)\. Rows are counted from 0\. Unknown column 'Sex'; did you mean 'sex'\?$/,
    ],
    'the same in a table without rows': [
      { dataframe_split: { columns: ['AGE', ...COLUMNS.slice(1)], data: [] } },
      /^Model is missing inputs \['age'\]\. Unknown column 'AGE'; did you mean 'age'\?$/,
    ],
    'Infinity as Python writes it, told by column': [
      `{"instances":[[${ROW}],[-Infinity,Infinity,${ROW.slice(2)}]]}`,
      escaped(
        "Inputs ['age', 'creatinine_phosphokinase'] have values that cannot be converted: " +
          'age must fit a 32-bit floating point number (row 1); ' +
          'creatinine_phosphokinase must fit a 32-bit floating point number (row 1). Rows are counted from 0.',
      ),
    ],
    'another method': [
      { instances: [PATIENT], params: { predict_method: 'transform' } },
      /must be predict or predict_proba/,
    ],
    'values that cannot be converted': [
      { instances: [PATIENT, { ...PATIENT, sex: 'secret', age: 'private' }, { ...PATIENT, age: [] }] },
      escaped(
        `Inputs ['age', 'sex'] have values that cannot be converted: age ${NOT_CONVERTIBLE} (row 1); ` +
          `sex must be true, false, 0 or 1, or one of these as a string (row 1). Rows are counted from 0.`,
      ),
    ],
  };
  test.each(Object.entries(NO_TABLE))('%s', (_, [body, message]) =>
    expectRefused(body, 'BAD_REQUEST', message),
  );
  test.each(Object.entries(NOT_FOR_THE_MODEL))('%s', (_, [body, message]) =>
    expectRefused(body, 'INVALID_PARAMETER_VALUE', message),
  );

  test('probabilities of a regression', async () => {
    const body = { instances: [[1, 2, 3]], ...PROBA };
    expectError(
      await score(body, '/models/float64/invocations'),
      400,
      'INVALID_PARAMETER_VALUE',
      /no probabilities/,
    );
  });

  test.each([
    '/models/nobody/invocations',
    '/models/iris/versions/9/invocations',
    '/invocations?model=nobody',
    '/invocations?model=Not%20a%20model',
  ])('an unknown model at %s: 404', async (path) => {
    expectError(await score({ instances: [] }, path), 404, 'RESOURCE_DOES_NOT_EXIST', /model/i);
  });

  test('two models: 400', async () => {
    const answer = await score({ instances: [] }, '/invocations?model=iris&model=float64');
    expectError(answer, 400, 'BAD_REQUEST', /must be given once/);
  });

  test.each([
    'not_a_supported_content_type',
    'application/json; something=something',
    'application/json; charset=latin1',
    'text/csv; header=present',
    'text/plain',
    'application/octet-stream',
  ])('the media type %s: 415, not recorded', async (type) => {
    const answer = await score({ instances: [PATIENT] }, undefined, type);
    expectError(answer, 415, 'BAD_REQUEST', /application\/json/);
    expect(await recordsOfRequest(database, answer.headers.get('x-request-id')!)).toEqual([]);
  });

  test.each(['application/json', 'text/csv'])('more than the body limit as %s: 413', async (type) => {
    const answer = await score('1'.repeat(MAX_BODY_BYTES + 1), undefined, type);
    expectError(answer, 413, 'BAD_REQUEST', /at most \d+ bytes/);
  });

  test('more than the body limit, chunked, without a Content-Length: 413', async () => {
    const chunks = Array.from({ length: 5 }, () => new TextEncoder().encode('1'.repeat(MAX_BODY_BYTES / 4)));
    const response = await fetch(`${api.url}/invocations`, {
      method: 'POST',
      body: new ReadableStream({
        pull: (controller) => {
          const chunk = chunks.pop();
          if (chunk) controller.enqueue(chunk);
          else controller.close();
        },
      }),
      duplex: 'half',
      headers: { authorization: `Bearer ${user.token}`, 'content-type': 'text/csv' },
    } as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error_code: 'BAD_REQUEST' });
  });
});

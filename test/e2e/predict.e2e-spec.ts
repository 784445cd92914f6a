import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, createEndedUser, createUser, PATIENT, type Answer, type TestUser } from '../support/client.js';
import { expectBadField, expectProblem, pointersOf } from '../support/problems.js';
import { recordsOfRequest, recordsOfUser } from '../support/records.js';
import { claimsOf, FORGED, signToken } from '../support/tokens.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';
import { editJson } from '../support/artifacts.js';

const JWT_SECRET = 'a secret that only this test file knows';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const COLUMNS = Object.keys(PATIENT) as (keyof typeof PATIENT)[];
const ALL_MISSING = Object.fromEntries(COLUMNS.map((name) => [name, null]));

const { database, api } = prepareService({ JWT_SECRET });

const patient = (...values: (number | null)[]) =>
  Object.fromEntries(COLUMNS.map((name, index) => [name, values[index]]));

/** Each test has its own user. */
let user: TestUser;
beforeEach(async () => {
  user = await createUser(api, database);
});

function predict(body: object | string, headers?: Record<string, string>, { token } = user): Promise<Answer> {
  return call(api, 'POST', '/predict', { body, token, headers });
}

/** The one request row and the one response row the user has. */
async function onlyRecord() {
  const records = await recordsOfUser(database, user.id);
  expect(records).toHaveLength(1);
  return records[0]!;
}

describe('answers', () => {
  test('the tutorial’s patient byte for byte, and records the question and the answer', async () => {
    const before = Date.now();
    const answer = await predict(PATIENT);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);

    const record = await onlyRecord();
    expect(record).toMatchObject({
      user_id: user.id,
      request_uuid: answer.headers.get('x-request-id'),
      model: 'heart-failure',
      model_version: '1',
      dialect: 'plain',
      input: PATIENT,
      ignored_columns: [],
      status_code: 200,
      output: { yhat_prob: '0.5124506', yhat: '1' },
    });
    expect(record.duration_ms).toBeGreaterThan(0);
    expect(Math.abs(record.created_datetime.getTime() - before)).toBeLessThan(60_000);
    expect(record.updated_datetime.getTime()).toBeGreaterThanOrEqual(record.created_datetime.getTime());
  });

  test.each([
    [patient(25, 1000, 35, 500000, 8, 135, 0, 0), 0.55330104, '1'],
    [patient(75, 582, 20, 265000, 1.9, 130, 1, 1), 0.9026563, '1'],
    [patient(55, 7861, 38, 263358.03, 1.1, 136, 1, 0), 0.18759595, '0'],
    [patient(60, 250, 60, 250000, 0.9, 140, 0, 0), 0.13463883, '0'],
    [ALL_MISSING, 0.5014447, '1'],
  ])('%o with the probability of the training framework, %f', async (input, probability, yhat) => {
    const answer = await predict(input);
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['yhat_prob', 'yhat']);
    expect(answer.body.yhat).toBe(yhat);
    const { yhat_prob } = answer.body as { yhat_prob: unknown };
    expect(yhat_prob).toBeTypeOf('string');
    expect(Math.abs(Number(yhat_prob) - probability)).toBeLessThanOrEqual(1e-6);
    // The shortest decimal of a float32: no shorter one reads back as the same float32.
    const float = Math.fround(Number(yhat_prob));
    const significant = String(yhat_prob).replace(/^0\.0*/, '').length;
    expect(Math.fround(Number(float.toPrecision(significant)))).toBe(float);
    expect(Math.fround(Number(float.toPrecision(significant - 1)))).not.toBe(float);
  });

  test.each<[string, object]>([
    ['decimal strings', Object.fromEntries(COLUMNS.map((name) => [name, String(PATIENT[name])]))],
    ['strings in white space', Object.fromEntries(COLUMNS.map((name) => [name, ` ${PATIENT[name]}\t`]))],
    ['scientific notation', { ...PATIENT, age: '2.5e1', platelets: '5E+5' }],
    ['true and false', { ...PATIENT, sex: true, high_blood_pressure: false }],
    [
      '"true" and "FALSE" as strings, the latter false',
      { ...PATIENT, sex: 'true', high_blood_pressure: 'FALSE' },
    ],
  ])('values as %s like the numbers they represent', async (_, input) => {
    const answer = await predict(input);
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
    // As sent, not as converted.
    expect((await onlyRecord()).input).toEqual(input);
  });

  test('true as the number 1 in a numeric column', async () => {
    const [asBoolean, asNumber] = await Promise.all([
      predict({ ...PATIENT, serum_creatinine: true }),
      predict({ ...PATIENT, serum_creatinine: 1 }),
    ]);
    expect(asBoolean.status).toBe(200);
    expect(asBoolean.text).toBe(asNumber.text);
    expect(asBoolean.body.yhat_prob).not.toBe('0.5124506');
  });

  test('with extra columns ignored, and names them in the record', async () => {
    const input = { note: 'seen on Monday', ...PATIENT, smoking: 1, Age: 99 };
    const answer = await predict(input);
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
    const record = await onlyRecord();
    expect(record.ignored_columns.toSorted()).toEqual(['Age', 'note', 'smoking']);
    expect(record.input).toEqual(input);
  });

  test('the tutorial’s scripts, which declare no media type: a user, a token and a prediction', async () => {
    /** Bytes, of which `fetch` does not say what they are. */
    const post = async (path: string, body: object, authorization = '') => {
      const bytes = new TextEncoder().encode(JSON.stringify(body));
      const request = new Request(api.url + path, {
        method: 'POST',
        body: bytes,
        headers: { authorization },
      });
      expect(request.headers.has('content-type')).toBe(false);
      const answer = await fetch(request);
      return { status: answer.status, text: await answer.text() };
    };
    const credentials = { username: 'tutorial', password: 'a password of its own', email: 't@example.org' };
    expect(await post('/register-user', credentials)).toMatchObject({ status: 201 });
    const issued = await post('/token', credentials);
    expect(issued.status).toBe(200);
    const { token } = JSON.parse(issued.text) as { token: string };
    expect(await post('/predict', PATIENT, token)).toEqual({
      status: 200,
      text: '{"yhat_prob":"0.5124506","yhat":"1"}',
    });
  });

  test('whatever the order of the columns in the body', async () => {
    const answer = await predict(Object.fromEntries(Object.entries(PATIENT).toReversed()));
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  });

  test('200 different requests at once, each with its own answer and exactly one record of both', async () => {
    const golden = JSON.parse(readFileSync('model-artifacts/heart-failure/1/golden.json', 'utf8')) as {
      cases: { input: object; output: { probabilities: [number, number] } }[];
    };
    const questions = Array.from({ length: 200 }, (_, number) => ({
      requestId: `at-once/${user.id}/${number}`,
      body: { ...golden.cases[number % golden.cases.length]!.input, number },
      probability: golden.cases[number % golden.cases.length]!.output.probabilities[1],
    }));
    const answers = await Promise.all(
      questions.map(({ body, requestId }) => predict(body, { 'x-request-id': requestId })),
    );
    const records = await recordsOfUser(database, user.id);
    expect(records).toHaveLength(200);
    const byRequestId = new Map(records.map((record) => [record.request_uuid, record]));
    for (const [index, { requestId, body, probability }] of questions.entries()) {
      const answer = answers[index]!;
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-request-id')).toBe(requestId);
      expect(Math.abs(Number(answer.body.yhat_prob) - probability)).toBeLessThanOrEqual(1e-6);
      expect(byRequestId.get(requestId)).toMatchObject({
        input: body,
        output: answer.body,
        status_code: 200,
      });
    }
    const [{ responses }] = (await database.query(
      `SELECT count(*)::int AS responses FROM responses JOIN requests ON requests.id = request_id WHERE user_id = $1`,
      [user.id],
    )) as [{ responses: number }];
    expect(responses).toBe(200);
  });

  test('with Cache-Control: no-store', async () => {
    expect((await predict(PATIENT)).headers.get('cache-control')).toBe('no-store');
    expect((await predict({})).headers.get('cache-control')).toBe('no-store');
  });
});

describe('refuses', () => {
  test('every column that is missing or not convertible at once, and records the refusal as it was sent', async () => {
    const { platelets, ...rest } = PATIENT;
    const input = { ...rest, age: 'abc', serum_sodium: [135], sex: 2 };
    expect(platelets).toBe(500000);
    const answer = await predict(input);
    expectProblem(answer, 400, 'Bad request');
    expect(pointersOf(answer).toSorted()).toEqual(['#/age', '#/platelets', '#/serum_sodium', '#/sex']);
    for (const error of answer.body.errors) {
      expect(Object.keys(error).toSorted()).toEqual(['detail', 'pointer']);
      expect(error.detail).toMatch(/./);
    }
    expect(await onlyRecord()).toMatchObject({ status_code: 400, input, output: answer.body });
  });

  test('an empty object with one error for each of the eight columns', async () => {
    const answer = await predict({});
    expectProblem(answer, 400, 'Bad request');
    expect(pointersOf(answer)).toEqual(COLUMNS.map((name) => `#/${name}`));
    expect(await onlyRecord()).toMatchObject({ status_code: 400, input: {}, output: answer.body });
  });

  test('an unknown column by name, without its value, if it looks like a missing one', async () => {
    const { age, serum_creatinine, sex, ...rest } = PATIENT;
    const long = 'x'.repeat(300);
    const input = { ...rest, Age: age, serumCreatinine: serum_creatinine, gender: sex, [long]: 'private' };
    const answer = await predict(input);
    expectProblem(answer, 400, 'Bad request');
    expect(answer.body.errors).toEqual([
      { detail: "is required: unknown column 'Age'; did you mean 'age'?", pointer: '#/age' },
      {
        detail: "is required: unknown column 'serumCreatinine'; did you mean 'serum_creatinine'?",
        pointer: '#/serum_creatinine',
      },
      { detail: 'is required', pointer: '#/sex' },
    ]);
    expect(answer.text).not.toMatch(/private|xxx/);
    expect(await onlyRecord()).toMatchObject({ input, output: answer.body });
  });

  const WRONG: Record<'age' | 'sex', Record<string, unknown>> = {
    age: {
      'a word': 'abc',
      'an empty string': '',
      '"NaN"': 'NaN',
      '"Infinity"': 'Infinity',
      '"-Infinity"': '-Infinity',
      'a hexadecimal string': '0x19',
      'digits with separators': '1_000',
      'a number that no float32 can hold': 1e39,
      'the same as a string': '1e39',
      'an array': [25],
      'an object': {},
    },
    sex: {
      '2': 2,
      '0.5': 0.5,
      '"yes"': 'yes',
      '"2"': '2',
      'an empty string': '',
      'an array': [true],
      'an object': {},
    },
  };
  const wrong = Object.entries(WRONG).flatMap(([column, values]) =>
    Object.entries(values).map(([what, value]) => [what, column, value] as const),
  );
  test.each(wrong)('%s in the column %s', async (_, column, value) => {
    const input = { ...PATIENT, [column]: value };
    const answer = await predict(input);
    expectBadField(answer, column);
    expect(await onlyRecord()).toMatchObject({ status_code: 400, input });
  });

  test('a bad value without repeating it', async () => {
    const answer = await predict({ ...PATIENT, age: 'a private matter' });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('private matter');
  });

  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  test.each<[string, string | Uint8Array, unknown]>([
    ['a body that is not JSON', 'age=25', null],
    ['half a JSON object', '{"age": 25', null],
    ['an empty body', '', null],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), null],
    ['a UTF-16 body', Buffer.from(JSON.stringify(PATIENT), 'utf16le'), null],
    ['NaN, which is not JSON', '{"age":NaN}', null],
    ['an array', '[1,2]', [1, 2]],
    ['an array of objects', JSON.stringify([PATIENT]), [PATIENT]],
    ['a string', '"text"', 'text'],
    ['a number', '12', 12],
    ['true', 'true', true],
    ['null', 'null', null],
    ['arrays nested 100 levels deep', nested(100), null],
    ['an object nested 100 levels deep', `{"age":${nested(99)}}`, null],
    ['arrays nested 400 000 levels deep', nested(400_000), null],
  ])('%s with 400, and records it', async (_, body, input) => {
    const answer = await predict(body);
    expectProblem(answer, 400, 'Bad request');
    expect(await onlyRecord()).toMatchObject({
      status_code: 400,
      input,
      output: answer.body,
      ignored_columns: [],
      request_uuid: answer.body.request_id,
    });
  });

  test('a body over the limit with 413, and still answers the next call', async () => {
    const answer = await predict(JSON.stringify({ ...PATIENT, note: 'x'.repeat(1024 ** 2) }));
    expectProblem(answer, 413, 'Body too large');
    const limit = JSON.stringify({ ...PATIENT, note: '' }).length;
    const justFits = await predict(JSON.stringify({ ...PATIENT, note: 'x'.repeat(1024 ** 2 - limit) }));
    expect(justFits.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  });

  test.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
  ])('the media type %s with 415', async (type) => {
    const answer = await predict(JSON.stringify(PATIENT), { 'content-type': type });
    expectProblem(answer, 415, 'Unsupported media type');
  });

  test('but accepts application/json with a charset parameter', async () => {
    const answer = await predict(JSON.stringify(PATIENT), {
      'content-type': 'Application/JSON; charset=UTF-8',
    });
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  });
});

describe('takes strange members literally', () => {
  test('__proto__ and constructor are names like any other', async () => {
    const text = `{"__proto__":{"age":1},"constructor":{"prototype":{}},${JSON.stringify(PATIENT).slice(1)}`;
    const answer = await predict(text);
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
    const record = await onlyRecord();
    expect(record.ignored_columns.toSorted()).toEqual(['__proto__', 'constructor']);
    const [row] = await database.query<{ proto: string; columns: number }>(
      `SELECT input->'__proto__'->>'age' AS proto, (SELECT count(*)::int FROM jsonb_object_keys(input)) AS columns
       FROM requests WHERE user_id = $1`,
      [user.id],
    );
    expect(row).toEqual({ proto: '1', columns: 10 });
  });

  test('__proto__ does not stand in for missing columns', async () => {
    const answer = await predict(`{"__proto__":${JSON.stringify(PATIENT)}}`);
    expectProblem(answer, 400, 'Bad request');
    expect(answer.body.errors).toHaveLength(8);
  });

  test('different keys stay different in the record, whatever is in them', async () => {
    const base = JSON.stringify(PATIENT).slice(0, -1);
    const answer = await predict(`${base},"x\\u0000":1,"x\uFFFD":2,"x\\ud800":3,"__proto__":4}`);
    expect(answer.status).toBe(200);
    const { input, ignored_columns } = await onlyRecord();
    expect(Object.entries(input as object)).toEqual(
      expect.arrayContaining([
        ['x\uFFFDu0000', 1],
        ['x\uFFFD', 2],
        ['x\uFFFDud800', 3],
        ['__proto__', 4],
      ]),
    );
    expect(ignored_columns).toEqual(['x\uFFFDu0000', 'x\uFFFD', 'x\uFFFDud800', '__proto__']);
  });

  test('NUL and lone surrogates are recorded as U+FFFD and fail no prediction running at the same time', async () => {
    const ordinary = await createUser(api, database);
    const base = JSON.stringify(PATIENT).slice(0, -1);
    const questions: [string, object][] = [
      [`${base},"note":"a\\u0000b"}`, { ...PATIENT, note: 'a\uFFFDb' }],
      [`${base},"note":"a\\ud800b"}`, { ...PATIENT, note: 'a\uFFFDb' }],
      [`${base},"note":"\\udfff"}`, { ...PATIENT, note: '\uFFFD' }],
      [`${base},"no\\u0000te":1}`, { ...PATIENT, 'no\uFFFDu0000te': 1 }],
      [`${base},"note":{"deep":["\\u0000"]}}`, { ...PATIENT, note: { deep: ['\uFFFD'] } }],
      // A well-formed pair and an escaped backslash are valid, and stay.
      [`${base},"note":"\\ud83d\\ude00"}`, { ...PATIENT, note: '😀' }],
      [`${base},"note":"\\\\u0000"}`, { ...PATIENT, note: '\\u0000' }],
    ];
    const ordinaryAnswers = Array.from({ length: 50 }, () => predict(PATIENT, {}, ordinary));
    const strangeAnswers = questions.map(([body]) => predict(body));
    for (const answer of await Promise.all([...ordinaryAnswers, ...strangeAnswers])) {
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
    }
    expect(await recordsOfUser(database, ordinary.id)).toHaveLength(50);
    const recorded = (await recordsOfUser(database, user.id)).map(({ input }) =>
      JSON.stringify(sorted(input)),
    );
    expect(recorded.toSorted()).toEqual(
      questions.map(([, input]) => JSON.stringify(sorted(input))).toSorted(),
    );
  });

  test('NUL in a column of the model is refused and recorded', async () => {
    const answer = await predict({ ...PATIENT, age: '2\u00005' });
    expectProblem(answer, 400, 'Bad request');
    expect(await onlyRecord()).toMatchObject({ input: { age: '2\uFFFD5' }, output: answer.body });
  });

  function sorted(value: unknown): unknown {
    return Object.fromEntries(Object.entries(value as object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
});

describe('wants a token', () => {
  test.each(['', 'Bearer ', 'bearer ', 'BEARER ', 'Bearer   '])('as "%s<token>"', async (scheme) => {
    const answer = await call(api, 'POST', '/predict', {
      body: PATIENT,
      headers: { authorization: scheme + user.token },
    });
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  });

  test('signed by anyone who knows the secret', async () => {
    // The refusals below rest on this: the same token without their flaw is accepted.
    const token = signToken(await claimsOf(database, user.id), JWT_SECRET);
    const answer = await predict(PATIENT, {}, { ...user, token });
    expect(answer.status).toBe(200);
  });

  test('and answers 401 with the bare challenge if there is none', async () => {
    const answer = await call(api, 'POST', '/predict', { body: PATIENT });
    expectProblem(answer, 401, 'Unauthorized');
    expect(answer.body.error).toBe('Unauthorized');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  const REFUSED: Record<string, () => string | Promise<string>> = {
    ...Object.fromEntries(
      Object.entries(FORGED).map(([what, forge]) => [
        what,
        async () => forge(await claimsOf(database, user.id), JWT_SECRET),
      ]),
    ),
    'is cut short': () => user.token.slice(0, -2),
    'has a changed payload': () => withSubject(user.token, '1'),
    'speaks for a disabled user': async () => (await createEndedUser(api, database, 'disabled')).token,
    'speaks for a removed user': async () => (await createEndedUser(api, database, 'removed')).token,
  };
  test.each(Object.entries(REFUSED))('that is valid: 401 with invalid_token if it %s', async (_, refused) => {
    const token = await refused();
    const requestId = randomUUID();
    for (const authorization of [token, `Bearer ${token}`]) {
      const answer = await call(api, 'POST', '/predict', {
        body: PATIENT,
        headers: { authorization, 'x-request-id': requestId },
      });
      expectProblem(answer, 401, 'Unauthorized');
      expect(answer.body.error).toBe('Unauthorized');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
    expect(await recordsOfRequest(database, requestId)).toEqual([]);
  });

  test.each(['Basic dXNlcjpzZWNyZXQ=', 'Bearer'])('and not "%s"', async (authorization) => {
    const answer = await call(api, 'POST', '/predict', { body: PATIENT, headers: { authorization } });
    expectProblem(answer, 401, 'Unauthorized');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test.each<[string, string]>([
    ['that is not JSON', '{"age": 25'],
    ['with bad columns', '{"age":"abc"}'],
    ['that is empty', ''],
  ])('before it looks at a body %s, and leaves no rows', async (_, body) => {
    for (const authorization of [undefined, 'Bearer nonsense']) {
      const requestId = randomUUID();
      const answer = await call(api, 'POST', '/predict', {
        body,
        headers: { 'x-request-id': requestId, ...(authorization && { authorization }) },
      });
      expectProblem(answer, 401, 'Unauthorized');
      expect(await recordsOfRequest(database, requestId)).toEqual([]);
    }
  });

  /** The same token with another subject in its payload, and the old signature. */
  function withSubject(token: string, sub: string): string {
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub };
    return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
  }
});

describe('knows each request by an id', () => {
  test.each(['42', 'order-7/line_3', '0191f6a4-7a3c-7000-8000-000000000000', 'a'.repeat(128)])(
    'X-Request-Id %s is echoed and recorded',
    async (requestId) => {
      const answer = await predict(PATIENT, { 'x-request-id': requestId });
      expect(answer.headers.get('x-request-id')).toBe(requestId);
      expect((await onlyRecord()).request_uuid).toBe(requestId);
    },
  );

  test('the id of a refusal is in its header, its body and its record', async () => {
    const answer = await predict({}, { 'x-request-id': 'refused-1' });
    expect(answer.headers.get('x-request-id')).toBe('refused-1');
    expect(answer.body.request_id).toBe('refused-1');
    expect((await onlyRecord()).request_uuid).toBe('refused-1');
  });

  test.each([undefined, '', 'two words', '<script>', '{"a":1}', 'häß', 'a'.repeat(129)])(
    'X-Request-Id %j is replaced by a UUID of ours',
    async (requestId) => {
      const answer = await predict(PATIENT, requestId === undefined ? {} : { 'x-request-id': requestId });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-request-id')).toMatch(UUID);
      expect((await onlyRecord()).request_uuid).toBe(answer.headers.get('x-request-id'));
    },
  );
});

describe('with other settings', () => {
  const MODEL_DIR = createModelDir({ own: ['heart-failure'] });
  // The threshold is the very float32 that the tutorial's patient gets.
  const threshold = Math.fround(0.5124506);
  beforeAll(() =>
    editJson(join(MODEL_DIR, 'heart-failure/1/manifest.json'), (manifest) => ({ ...manifest, threshold })),
  );
  // A database of its own: one that knows the model would refuse this version for its other content.
  const { api: other, user: another } = prepareService({ MODEL_DIR, MAX_BODY_BYTES: '1024' });

  test('yhat is 1 only strictly above the threshold of the model', async () => {
    const { token } = another;
    const atThreshold = await call(other, 'POST', '/predict', { body: PATIENT, token });
    expect(atThreshold.text).toBe('{"yhat_prob":"0.5124506","yhat":"0"}');
    const over = await call(other, 'POST', '/predict', { body: { ...PATIENT, sex: 0 }, token });
    expect(over.body).toMatchObject({ yhat: '1' });
  });

  test('a body over MAX_BODY_BYTES is refused with 413', async () => {
    const { token } = another;
    const body = JSON.stringify(PATIENT);
    const fits = await call(other, 'POST', '/predict', { body: body.padEnd(1024), token });
    expect(fits.status).toBe(200);
    const tooLarge = await call(other, 'POST', '/predict', { body: body.padEnd(1025), token });
    expectProblem(tooLarge, 413, 'Body too large');
  });
});

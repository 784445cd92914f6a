import { describe, expect, test } from 'vitest';
import { call, createUser, PATIENT, type Answer } from '../support/client.js';
import { expectProtocolAnswer, expectProtocolRequest } from '../support/open-inference-document.js';
import { recordsOfRequest } from '../support/records.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';

const MAX_BODY_BYTES = 200_000;
const COLUMNS = Object.keys(PATIENT);
const ROW = Object.values(PATIENT);
const HEART = '/v2/models/heart-failure';
const HOUSE = '/v2/models/tensor-per-column';
const SERVER = {
  name: 'foretell',
  version: '0.2.0',
  extensions: ['classification', 'model_configuration', 'statistics'],
};

const { database, api, user, post, recordOf } = prepareService({
  MODEL_DIR: createModelDir({ foreign: ['tensor-per-column', 'float64', 'int64-labels', 'zipmap'] }),
  MAX_BODY_BYTES: String(MAX_BODY_BYTES),
});
/** The name of heart-failure's one tensor. */
const features = 'features';

const get = async (path: string, token: string | undefined = user.token): Promise<Answer> => {
  const answer = await call(api, 'GET', path, { token });
  expectProtocolAnswer('GET', path, answer);
  return answer;
};

/** Every answer must have the form of the protocol. */
async function infer(path: string, body: object | string, headers?: Record<string, string>): Promise<Answer> {
  const answer = await post(`${path}/infer`, body, headers);
  expectProtocolAnswer('POST', `${path}/infer`, answer);
  return answer;
}

const recordsOf = (answer: Answer) => recordsOfRequest(database, answer.headers.get('x-request-id')!);

const whole = (data: unknown, rows = 1, datatype = 'FP32') => ({
  inputs: [{ name: features, shape: [rows, COLUMNS.length], datatype, data }],
});

const column = (name: string, datatype: string, ...data: unknown[]) => ({
  name,
  shape: [data.length, 1],
  datatype,
  data,
});

const HUT_AND_PALACE = [
  column('size', 'FP32', 1, 6),
  column('rooms', 'INT64', 1, 3),
  column('colour', 'BYTES', 'red', 'blue'),
];

const patientByColumn = () => COLUMNS.map((name, index) => column(name, 'FP64', ROW[index]));

interface BinaryTensor {
  name: string;
  shape: number[];
  datatype: string;
  bytes: Uint8Array;
  size?: number;
}

/** A request as Triton's client sends it: its JSON, then the tensors' bytes. */
function inferBinary(path: string, tensors: BinaryTensor[], headers: Record<string, string> = {}) {
  const inputs = tensors.map(({ name, shape, datatype, bytes, size = bytes.length }) => ({
    name,
    shape,
    datatype,
    parameters: { binary_data_size: size },
  }));
  const head = Buffer.from(JSON.stringify({ inputs, parameters: { binary_data_output: true } }));
  return infer(path, Buffer.concat([head, ...tensors.map(({ bytes }) => bytes)]) as never, {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(head.length),
    ...headers,
  });
}

function bytesTensor(...texts: (string | Buffer)[]): Uint8Array {
  return Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(text));
      return [length, Buffer.from(text as string)];
    }),
  );
}

const bytesOf = (array: NodeJS.TypedArray) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe('the server', () => {
  test.each([
    ['/v2', SERVER],
    ['/v2/', SERVER],
    ['/v2/?x=1', SERVER],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
  ])('answers %s for everyone', async (path, expected) => {
    const answer = await call(api, 'GET', path, { token: 'nonsense' });
    expectProtocolAnswer('GET', path, answer);
    expect([answer.status, answer.body]).toEqual([200, expected]);
  });

  test.each(['', '/ready', '/versions/1', '/versions/1/ready'])(
    'keeps models%s for those with a token',
    async (path) => {
      for (const token of [undefined, 'nonsense']) {
        const answer = await call(api, 'GET', HEART + path, { token });
        expectProtocolAnswer('GET', HEART + path, answer);
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
    },
  );

  test.each([HEART, `${HEART}/versions/1`])('infers at %s only with a token', async (path) => {
    const answer = await call(api, 'POST', `${path}/infer`, { body: whole(ROW) });
    expectProtocolAnswer('POST', `${path}/infer`, answer);
    expect(answer.status).toBe(401);
  });
});

describe('a model', () => {
  test('with one tensor is described like its graph, with the outputs that we answer', async () => {
    for (const path of [HEART, `${HEART}/versions/1`, `${HEART}@production`]) {
      expect((await get(path)).body).toEqual({
        name: 'heart-failure',
        versions: ['1'],
        platform: 'onnx_onnxv1',
        inputs: [{ name: features, datatype: 'FP32', shape: [-1, 8] }],
        outputs: [
          { name: 'label', datatype: 'INT64', shape: [-1] },
          { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
        ],
      });
    }
  });

  test('with a tensor per column is described column by column', async () => {
    expect((await get(HOUSE)).body).toMatchObject({
      inputs: [
        { name: 'size', datatype: 'FP32', shape: [-1, 1] },
        { name: 'rooms', datatype: 'INT64', shape: [-1, 1] },
        { name: 'colour', datatype: 'BYTES', shape: [-1, 1] },
      ],
      outputs: [
        { name: 'label', datatype: 'BYTES', shape: [-1] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 3] },
      ],
    });
  });

  test('that is a regression answers one value', async () => {
    expect((await get('/v2/models/float64')).body).toMatchObject({
      inputs: [{ datatype: 'FP64', shape: [-1, 3] }],
      outputs: [{ name: 'prediction', datatype: 'FP32', shape: [-1] }],
    });
  });

  test('is ready, registered but not ready, or unknown', async () => {
    for (const path of [HEART, `${HEART}/versions/1`]) {
      const answer = await get(`${path}/ready`);
      expect([answer.status, answer.body]).toEqual([200, { name: 'heart-failure', ready: true }]);
    }
    for (const path of ['', '/versions/1', '/ready', '/versions/9/ready']) {
      expect((await get(`/v2/models/nobody${path}`)).status, path).toBe(404);
    }
    const admin = await createUser(api, database, 'admin');
    const alias = '/models/float64/aliases/production';
    await call(api, 'DELETE', alias, { token: admin.token });
    const answer = await call(api, 'GET', '/v2/models/float64/ready', { token: user.token });
    expect([answer.status, answer.body]).toEqual([503, { name: 'float64', ready: false }]);
    await call(api, 'PUT', alias, { token: admin.token, body: { version: '1' } });
  });
});

describe('infer', () => {
  test('answers the tutorial’s patient, and records what was asked and answered', async () => {
    const body = { id: '42', ...whole(ROW) };
    expectProtocolRequest('POST', `${HEART}/infer`, body);
    const answer = await infer(HEART, body);
    expect(answer.text).toMatch(
      /^\{"model_name":"heart-failure","model_version":"1","id":"42","outputs":\[\{"name":"label","shape":\[1\],"datatype":"INT64","data":\[1\]\},\{"name":"probabilities","shape":\[1,2\],"datatype":"FP32","data":\[0\.48754\d+,0\.5124506\]\}\]\}$/,
    );
    expect(await recordOf(answer)).toMatchObject({
      user_id: user.id,
      model: 'heart-failure',
      model_version: '1',
      dialect: 'oip',
      row_count: 1,
      input: body,
      ignored_columns: [],
      status_code: 200,
      output: answer.body,
    });
  });

  const TAKEN: Record<string, { rows?: number; inputs: object[]; outputs?: object[] }> = {
    'nested data': { rows: 2, ...whole([ROW, ROW], 2) },
    'flat data of several rows': { rows: 2, ...whole([...ROW, ...ROW], 2) },
    doubles: whole(ROW, 1, 'FP64'),
    'whole numbers': whole(ROW, 1, 'INT64'),
    texts: whole(ROW.map(String), 1, 'BYTES'),
    'a tensor a column': { inputs: patientByColumn() },
    'a tensor a column in another order, and one more': {
      inputs: [...patientByColumn().toReversed(), column('note', 'BYTES', 'x')],
    },
    'flat tensors': { inputs: patientByColumn().map((each) => ({ ...each, shape: [1] })) },
    'tensors of several datatypes': {
      inputs: patientByColumn().map((each) => (each.name === 'sex' ? column('sex', 'BOOL', true) : each)),
    },
    'outputs that are all of them': { ...whole(ROW), outputs: [] },
  };
  test.each(Object.entries(TAKEN))('takes %s', async (_, { rows = 1, ...body }) => {
    expectProtocolRequest('POST', `${HEART}/infer`, body);
    const answer = await infer(HEART, body);
    expect(answer.body.outputs).toMatchObject([
      { name: 'label', shape: [rows], data: new Array(rows).fill(1) },
      { name: 'probabilities', shape: [rows, 2] },
    ]);
    expect(await recordOf(answer)).toMatchObject({ dialect: 'oip', row_count: rows, input: body });
  });

  test('names what it ignored in the record', async () => {
    const answer = await infer(HEART, { inputs: [...patientByColumn(), column('note', 'BYTES', 'x')] });
    expect((await recordOf(answer)).ignored_columns).toEqual(['note']);
  });

  test('a null is a missing value', async () => {
    const answer = await infer(HEART, whole(COLUMNS.map(() => null)));
    expect(answer.body.outputs[1].data[1]).toBe(0.5014447);
  });

  test('answers the requested outputs', async () => {
    const answer = await infer(HEART, {
      ...whole(ROW),
      outputs: [{ name: 'probabilities', parameters: { x: 1 } }],
    });
    expect(answer.body.outputs).toMatchObject([{ name: 'probabilities' }]);
  });

  test('takes null for absent members, as a plain pydantic dump writes them', async () => {
    const [tensor] = whole(ROW).inputs;
    const body = {
      id: null,
      parameters: null,
      inputs: [{ ...tensor, parameters: null }],
      outputs: null,
    };
    const answer = await infer(HEART, body);
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body)).toEqual(['model_name', 'model_version', 'outputs']);
    expect((await recordOf(answer)).input).toEqual(body);
    const one = await infer(HEART, { ...body, outputs: [{ name: 'label', parameters: null }] });
    expect(one.body.outputs).toMatchObject([{ name: 'label', data: [1] }]);
  });

  test('in BF16, as numbers in JSON', async () => {
    const answer = await infer(HEART, whole(ROW, 1, 'BF16'));
    expect(answer.body.outputs[1].data[1]).toBe(0.5124506);
  });

  test('no rows: tensors without elements', async () => {
    const answer = await infer(HEART, whole([], 0));
    expect(answer.body.outputs).toMatchObject([
      { shape: [0], data: [] },
      { shape: [0, 2], data: [] },
    ]);
  });

  test('a model with a tensor per column, whose labels are texts', async () => {
    const answer = await infer(HOUSE, { inputs: HUT_AND_PALACE });
    expect(answer.body.outputs).toMatchObject([
      { name: 'label', datatype: 'BYTES', shape: [2], data: ['hut', 'palace'] },
      { name: 'probabilities', shape: [2, 3] },
    ]);
    expect(answer.body.outputs[1].data).toHaveLength(6);
  });

  test('a regression, in one version', async () => {
    const { name } = (await get('/v2/models/float64')).body.inputs[0];
    const inputs = [{ name, shape: [1, 3], datatype: 'FP64', data: [5, 3, 1] }];
    const answer = await infer('/v2/models/float64/versions/1', { inputs });
    expect(answer.body.outputs).toEqual([
      { name: 'prediction', shape: [1], datatype: 'FP32', data: [expect.closeTo(-0.084069, 5)] },
    ]);
  });
});

describe('classification', () => {
  const classified = (path: string, inputs: object[], classification: unknown, ...others: object[]) =>
    infer(path, { inputs, outputs: [{ name: 'probabilities', parameters: { classification } }, ...others] });

  test('gives the highest classes as value, index and label', async () => {
    const two = await classified(HEART, whole([...ROW, ...ROW], 2).inputs, 2);
    expect(two.body.outputs).toEqual([
      {
        name: 'probabilities',
        datatype: 'BYTES',
        shape: [2, 2],
        data: [0, 1].flatMap(() => ['0.5124506:1:1', expect.stringMatching(/^0\.48754\d+:0:0$/)]),
      },
    ]);
    const one = await classified(HOUSE, HUT_AND_PALACE, 1, { name: 'label' });
    const [label, best] = one.body.outputs;
    expect(label).toMatchObject({ data: ['hut', 'palace'] });
    expect(best).toMatchObject({ datatype: 'BYTES', shape: [2, 1] });
    expect(best.data).toEqual([
      expect.stringMatching(/^0\.\d+:1:hut$/),
      expect.stringMatching(/^0\.\d+:2:palace$/),
    ]);
    expect((await recordOf(one)).output).toEqual(one.body);
  });

  test('gives all classes if more are requested, and the probabilities if none is', async () => {
    const all = await classified(HEART, whole(ROW).inputs, 1000);
    expect(all.body.outputs[0]).toMatchObject({ shape: [1, 2], datatype: 'BYTES' });
    for (const none of [0, null]) {
      const answer = await classified(HEART, whole(ROW).inputs, none);
      expect(answer.body.outputs[0]).toMatchObject({ shape: [1, 2], datatype: 'FP32' });
    }
  });

  test.each([-1, 1.5, '2', true, [1]])('of %j classes: 400', async (classification) => {
    const answer = await classified(HEART, whole(ROW).inputs, classification);
    expect(answer.body.error).toBe(
      'Output "probabilities": "classification" must be a whole number of classes.',
    );
  });

  test.each(['label', 'prediction'])('of "%s", which has no classes: 400', async (name) => {
    const path = name === 'label' ? HEART : '/v2/models/float64';
    const [input] = (await get(path)).body.inputs;
    const columns = input.shape[1] as number;
    const answer = await infer(path, {
      inputs: [{ name: input.name, shape: [1, columns], datatype: 'FP64', data: Array(columns).fill(1) }],
      outputs: [{ name, parameters: { classification: 1 } }],
    });
    expect(answer.body.error).toBe(`Output "${name}": "classification" is for "probabilities" alone.`);
  });
});

describe('binary data', () => {
  test('of one tensor is answered in JSON, and recorded as its decoded data', async () => {
    const bytes = bytesOf(new Float32Array([...ROW, ...ROW]));
    const answer = await inferBinary(HEART, [{ name: features, shape: [2, 8], datatype: 'FP32', bytes }]);
    expect(answer.body.outputs[0]).toMatchObject({ data: [1, 1] });
    expect(answer.headers.get('inference-header-content-length')).toBeNull();
    expect(await recordOf(answer)).toMatchObject({
      row_count: 2,
      input: {
        inputs: [{ name: features, shape: [2, 8], datatype: 'FP32', parameters: {}, data: [...ROW, ...ROW] }],
        parameters: { binary_data_output: true },
      },
      output: answer.body,
    });
  });

  test('may come without a media type, as from Triton’s client', async () => {
    const { hostname, port } = new URL(api.url);
    const head = JSON.stringify({
      inputs: [{ name: features, shape: [1, 8], datatype: 'FP32', parameters: { binary_data_size: 32 } }],
    });
    const body = Buffer.concat([Buffer.from(head), bytesOf(new Float32Array(ROW))]);
    const { request } = await import('node:http');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${user.token}`,
        'content-length': body.length,
        'inference-header-content-length': head.length,
      };
      request({ hostname, port, path: `${HEART}/infer`, method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end(body);
    });
    expect(status).toBe(200);
  });

  test('is decoded in every datatype', async () => {
    const arrays: [string, string, NodeJS.TypedArray | Uint8Array, unknown][] = [
      ['age', 'UINT8', new Uint8Array([250]), 250],
      ['creatinine_phosphokinase', 'INT16', new Int16Array([-1000]), -1000],
      ['ejection_fraction', 'INT8', new Int8Array([-35]), -35],
      ['platelets', 'INT64', new BigInt64Array([500_000n]), 500_000],
      // 8 in half precision, for which JavaScript has no array.
      ['serum_creatinine', 'FP16', new Uint16Array([0x4800]), 8],
      ['serum_sodium', 'FP64', new Float64Array([135.25]), 135.25],
      ['sex', 'BOOL', new Uint8Array([1]), true],
      ['high_blood_pressure', 'BYTES', bytesTensor('0'), '0'],
      ['more', 'UINT64', new BigUint64Array([2n ** 53n - 1n]), 2 ** 53 - 1],
      ['and more', 'UINT16', new Uint16Array([65_535]), 65_535],
      ['and again', 'UINT32', new Uint32Array([2 ** 32 - 1]), 2 ** 32 - 1],
      ['and still', 'INT32', new Int32Array([-(2 ** 31)]), -(2 ** 31)],
      // The upper half of a float32: 0x41020000 is 8.125.
      ['brain', 'BF16', new Uint16Array([0x4102]), 8.125],
      ['small', 'FP16', new Uint16Array([0x8001, 0x3555]), [-(2 ** -24), 0.333251953125]],
    ];
    const tensors = arrays
      .slice(0, -1)
      .map(([name, datatype, array]) => ({ name, datatype, shape: [1], bytes: bytesOf(array) }));
    const answer = await inferBinary(HEART, tensors);
    expect(answer.status, answer.text).toBe(200);
    const { inputs } = (await recordOf(answer)).input as { inputs: { data: unknown[] }[] };
    expect(inputs.map(({ data }) => data[0])).toEqual(arrays.slice(0, -1).map(([, , , value]) => value));
    const [name, datatype, array, values] = arrays.at(-1)!;
    const refused = await inferBinary(HEART, [{ name, datatype, shape: [2], bytes: bytesOf(array) }]);
    expect((await recordOf(refused)).input).toMatchObject({ inputs: [{ data: values }] });
  });

  test('NaN is a missing value; an infinity and a number that JSON cannot hold are refused, and recorded as they are', async () => {
    const send = (datatype: string, array: NodeJS.TypedArray) =>
      inferBinary(HEART, [{ name: features, shape: [1, 8], datatype, bytes: bytesOf(array) }]);
    const missing = await send('FP32', new Float32Array(8).fill(NaN));
    expect(missing.body.outputs[1].data[1]).toBe(0.5014447);

    const infinite = await send('FP32', new Float32Array([Infinity, ...ROW.slice(1)]));
    expect(infinite.body.error).toMatch(
      /^Tensor ".+", row 0, column 0 \(age\): must fit a 32-bit floating point number\./,
    );
    expect((await recordOf(infinite)).input).toMatchObject({
      inputs: [{ data: ['Infinity', ...ROW.slice(1)] }],
    });

    const large = await send('INT64', BigInt64Array.from([2n ** 53n, ...ROW.slice(1).map(BigInt)]));
    expect(large.body.error).toMatch(/whole numbers from -9007199254740991 to 9007199254740991/);
    expect((await recordOf(large)).input).toMatchObject({
      inputs: [{ data: ['9007199254740992', ...ROW.slice(1)] }],
    });
  });

  const WRONG: Record<string, [changes: Partial<BinaryTensor>, message: RegExp, lengthOfJson?: string]> = {
    'too few bytes': [{ bytes: new Uint8Array(16) }, /does not have the shape \[1, 8\]/],
    'half an element': [{ bytes: new Uint8Array(31) }, /elements of 4 bytes/],
    'more bytes said than sent': [{ size: 33 }, /"binary_data_size" is not what follows/],
    'fewer bytes said than sent': [{ size: 28 }, /4 bytes follow the JSON/],
    'an invalid size': [{ size: -4 }, /"binary_data_size" is not/],
    'texts that are none': [
      { datatype: 'BYTES', bytes: bytesTensor(Buffer.from([0xff])) },
      /must be UTF-8 texts/,
    ],
    'texts cut off': [{ datatype: 'BYTES', bytes: bytesTensor('abc').subarray(0, 5) }, /must be UTF-8 texts/],
    'an unknown datatype': [{ datatype: 'FP8' }, /"datatype" must be one of BOOL, UINT8/],
    'an invalid length of the JSON': [{}, /Inference-Header-Content-Length/, 'x'],
    'a length beyond the body': [{}, /Inference-Header-Content-Length/, '9999'],
    'a length within the JSON': [{}, /not JSON/, '9'],
  };
  test.each(Object.entries(WRONG))('with %s: 400, recorded', async (_, [changes, message, length]) => {
    const tensor = { name: features, shape: [1, 8], datatype: 'FP32', bytes: bytesOf(new Float32Array(ROW)) };
    const headers: Record<string, string> =
      length === undefined ? {} : { 'inference-header-content-length': length };
    const answer = await inferBinary(HEART, [{ ...tensor, ...changes }], headers);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(message);
    expect(await recordOf(answer)).toMatchObject({ status_code: 400, output: answer.body });
  });
});

describe('refuses', () => {
  const first = (changes: object) => ({ inputs: [{ ...whole(ROW).inputs[0], ...changes }] });

  test.each(
    Object.entries<[body: unknown, message: RegExp]>({
      'what is not JSON': ['inputs', /not JSON/],
      'what is no object': [[], /JSON object with "inputs"/],
      'no inputs': [{}, /"inputs" must be a list/],
      'inputs that are none': [{ inputs: [5] }, /"inputs" must be a list/],
      'an empty list of inputs': [
        { inputs: [] },
        /^The inputs lack "age", .* one tensor ".+" \[n, 8\], or a tensor/,
      ],
      'an invalid id': [{ id: 5, ...whole(ROW) }, /"id" must be a string/],
      'an id that is no id any more': [
        { id: 'x'.repeat(1025), ...whole(ROW) },
        /"id" must be a string of at most 1024 characters/,
      ],
      'an output in shared memory': [
        { ...whole(ROW), outputs: [{ name: 'label', parameters: { shared_memory_region: 'r' } }] },
        /^Output "label": "shared_memory_region" is not supported/,
      ],
      'an input in shared memory': [
        first({ data: undefined, parameters: { shared_memory_region: 'r', shared_memory_byte_size: 32 } }),
        /^Tensor ".+": "shared_memory_region" is not supported\. Send its data with the request\.$/,
      ],
      'Infinity as Python writes it, in one tensor': [
        JSON.stringify(whole(['X', ...ROW.slice(1)])).replace('"X"', '-Infinity'),
        /^Tensor ".+", row 0, column 0 \(age\): must fit a 32-bit floating point number\. Rows/,
      ],
      'Infinity as Python writes it, in a tensor of one column': [
        JSON.stringify({ inputs: [column('age', 'FP32', 'X'), ...patientByColumn().slice(1)] }).replace(
          '"X"',
          'Infinity',
        ),
        /^Tensor "age", row 0: must fit a 32-bit floating point number\. Rows/,
      ],
      'Infinity among whole numbers': [
        JSON.stringify(first({ datatype: 'INT32', data: ['X', ...ROW.slice(1)] })).replace('"X"', 'Infinity'),
        /must hold whole numbers/,
      ],
      'an unknown output': [
        { ...whole(ROW), outputs: [{ name: 'odds' }] },
        /"outputs" must be .*"label".*"probabilities"/,
      ],
      'an output twice': [
        { ...whole(ROW), outputs: [{ name: 'label' }, { name: 'label' }] },
        /"outputs" must be/,
      ],
      'outputs that are none': [{ ...whole(ROW), outputs: 'label' }, /"outputs" must be/],
      'no name': [first({ name: undefined }), /must have a "name"/],
      'no datatype': [first({ datatype: undefined }), /^Tensor ".+": "datatype" must be one of/],
      'no shape': [first({ shape: undefined }), /^Tensor ".+": "shape" must be/],
      'an invalid shape': [first({ shape: [1, -8] }), /^Tensor ".+": "shape" must be/],
      'a shape of too many sizes': [
        first({ shape: new Array(9).fill(1) }),
        /"shape" must be a list of at most 8/,
      ],
      'another shape': [first({ shape: [2, 4] }), /^Tensor ".+" must have the shape \[n, 8\]/],
      'a shape that is not the data’s': [
        first({ shape: [2, 8] }),
        /^Tensor ".+": "data" does not have the shape/,
      ],
      'a shape beyond all data': [first({ shape: [2 ** 52, 8] }), /at most 100000 rows/],
      'data nested in another way': [
        first({ data: [ROW.slice(0, 4), ROW.slice(4)] }),
        /does not have the shape/,
      ],
      'data nested deeper': [first({ data: [[ROW]] }), /does not have the shape/],
      'no data': [first({ data: undefined }), /^Tensor ".+": "data" must be a list/],
      'data of another datatype': [
        first({ datatype: 'INT32', data: [0.5, ...ROW.slice(1)] }),
        /must hold whole numbers.* INT32/,
      ],
      'whole numbers out of range': [first({ datatype: 'INT8' }), /must hold whole numbers from -128 to 127/],
      'whole numbers whose digits are lost': [
        JSON.stringify(first({ datatype: 'INT64', data: ['X', ...ROW.slice(1)] })).replace(
          '"X"',
          '9007199254740993',
        ),
        /must hold whole numbers from -9007199254740991/,
      ],
      'numbers that overflow': [first({ data: [1e39, ...ROW.slice(1)] }), /must hold numbers up to 3\.4/],
      'numbers for booleans': [first({ datatype: 'BOOL' }), /must hold true or false/],
      'numbers for texts': [first({ datatype: 'BYTES' }), /must hold strings/],
      'a tensor twice': [
        { inputs: [...patientByColumn(), column('age', 'FP32', 1)] },
        /^Tensor "age" is there twice/,
      ],
      'all columns and one column': [
        { inputs: [...whole(ROW).inputs, column('age', 'FP32', 1)] },
        /holds all columns: send it alone/,
      ],
      'a column too few': [
        { inputs: patientByColumn().slice(1) },
        /^The inputs lack "age"\. The model takes/,
      ],
      'a column by a name that looks like it': [
        { inputs: [column('Age', 'FP32', 25), ...patientByColumn().slice(1)] },
        /^The inputs lack "age"\. The model takes .*\. Unknown column 'Age'; did you mean 'age'\?$/,
      ],
      'a column of another shape': [
        {
          inputs: [
            { name: 'age', shape: [1, 2], datatype: 'FP32', data: [1, 2] },
            ...patientByColumn().slice(1),
          ],
        },
        /^Tensor "age" is of one column/,
      ],
      'columns of several lengths': [
        { inputs: [...patientByColumn().slice(0, -1), column('high_blood_pressure', 'FP32', 1, 1)] },
        /^Tensor "high_blood_pressure" has 2 rows, and Tensor "age" has 1/,
      ],
      'a value that no column takes': [
        whole([ROW, [...ROW.slice(0, 6), 7, 0]], 2),
        /^Tensor ".+", row 1, column 6 \(sex\): must be true, false, 0 or 1/,
      ],
      'texts that are no numbers': [
        { inputs: [column('age', 'BYTES', 'secret'), ...patientByColumn().slice(1)] },
        /^Tensor "age", row 0: must be a number/,
      ],
    }),
  )('%s: 400, recorded', async (_, [body, message]) => {
    const answer = await infer(HEART, body as object);
    expect(answer.body.error).toMatch(message);
    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/secret/);
    const { output, ...record } = await recordOf(answer);
    expect(record).toMatchObject({ dialect: 'oip', status_code: 400 });
    expect(output).toEqual(answer.body);
  });

  test.each(['/v2/models/nobody', `${HEART}/versions/9`, '/v2/models/zipmap'])(
    '%s, which is not there: 404',
    async (path) => {
      expect((await infer(path, whole(ROW))).status).toBe(404);
    },
  );

  test.each(['text/csv', 'text/plain', 'application/json-seq', 'nothing'])(
    'the media type %s: 415, not recorded',
    async (type) => {
      const answer = await infer(HEART, JSON.stringify(whole(ROW)), { 'content-type': type });
      expect(answer.status).toBe(415);
      expect(await recordsOf(answer)).toEqual([]);
    },
  );

  test.each(['application/json', 'application/octet-stream'])(
    'more than the body limit as %s: 413',
    async (type) => {
      const answer = await infer(HEART, '1'.repeat(MAX_BODY_BYTES + 1), { 'content-type': type });
      expect(answer.status).toBe(413);
    },
  );
});

import { describe, expect, test } from 'vitest';
import { call, PATIENT } from '../support/client.js';
import { prepareService, createModelDir } from '../support/prepared-service.js';

const HEART = '/v2/models/heart-failure';
const ROW = Object.values(PATIENT);

const modelDir = createModelDir({ foreign: ['tensor-per-column', 'slow'] });
const { api, user, post } = prepareService({ MODEL_DIR: modelDir });

const get = (path: string, token: string | undefined = user.token) => call(api, 'GET', path, { token });

const infer = (data: unknown, rows = 1) =>
  post(`${HEART}/infer`, {
    inputs: [{ name: 'features', shape: [rows, ROW.length], datatype: 'FP32', data }],
  });

interface Duration {
  count: number;
  ns: number;
}

interface Statistics {
  name: string;
  version: string;
  last_inference: number;
  inference_count: number;
  execution_count: number;
  inference_stats: Record<string, Duration>;
}

async function statistics(path = HEART): Promise<Statistics> {
  const answer = await get(`${path}/stats`);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.body.model_stats).toHaveLength(1);
  return answer.body.model_stats[0];
}

describe('configuration', () => {
  test('of a model with one tensor, as Triton’s perf_analyzer reads it', async () => {
    for (const path of [HEART, `${HEART}/versions/1`, `${HEART}@production`]) {
      const answer = await get(`${path}/config`);
      expect([answer.status, answer.body]).toEqual([
        200,
        {
          name: 'heart-failure',
          platform: 'onnxruntime_onnx',
          backend: 'onnxruntime',
          max_batch_size: 100_000,
          input: [{ name: 'features', data_type: 'TYPE_FP32', dims: [8] }],
          output: [
            { name: 'label', data_type: 'TYPE_INT64', dims: [1], reshape: { shape: [] } },
            { name: 'probabilities', data_type: 'TYPE_FP32', dims: [2] },
          ],
          dynamic_batching: {},
          model_transaction_policy: { decoupled: false },
          response_cache: { enable: false },
        },
      ]);
    }
  });

  test('of a model with a tensor per column, and of a slow one, which takes fewer rows', async () => {
    expect((await get('/v2/models/tensor-per-column/config')).body).toMatchObject({
      input: [
        { name: 'size', data_type: 'TYPE_FP32', dims: [1] },
        { name: 'rooms', data_type: 'TYPE_INT64', dims: [1] },
        { name: 'colour', data_type: 'TYPE_STRING', dims: [1] },
      ],
      output: [
        { name: 'label', data_type: 'TYPE_STRING' },
        { name: 'probabilities', dims: [3] },
      ],
    });
    const { body } = await get('/v2/models/slow/config');
    expect(body.max_batch_size).toBeGreaterThan(0);
    expect(body.max_batch_size).toBeLessThan(1_000);
    expect(body.output).toEqual([
      { name: 'prediction', data_type: 'TYPE_FP32', dims: [1], reshape: { shape: [] } },
    ]);
  });
});

describe('statistics', () => {
  test('of a model that was not asked yet are zeros', async () => {
    const zero = { count: 0, ns: 0 };
    expect(await statistics('/v2/models/iris')).toEqual({
      name: 'iris',
      version: '1',
      last_inference: 0,
      inference_count: 0,
      execution_count: expect.any(Number),
      inference_stats: {
        success: zero,
        fail: zero,
        queue: zero,
        compute_input: zero,
        compute_infer: zero,
        compute_output: zero,
        cache_hit: zero,
        cache_miss: zero,
      },
    });
  });

  test('count the requests, and their parts add up to no more than the total time', async () => {
    const before = await statistics();
    const started = Date.now();
    const wall = performance.now();
    for (let time = 0; time < 5; time++) expect((await infer([...ROW, ...ROW, ...ROW], 3)).status).toBe(200);
    expect((await infer(ROW.slice(1))).status).toBe(400);
    expect((await infer([...ROW.slice(0, 6), 7, 0])).status).toBe(400);
    const took = (performance.now() - wall) * 1e6;
    const after = await statistics(`${HEART}/versions/1`);

    expect(after.last_inference).toBeGreaterThanOrEqual(started);
    expect(after.last_inference).toBeLessThanOrEqual(Date.now());
    expect(after.inference_count - before.inference_count).toBe(15);
    expect(after.execution_count - before.execution_count).toBe(5);
    const growth = (name: string) => ({
      count: after.inference_stats[name]!.count - before.inference_stats[name]!.count,
      ns: after.inference_stats[name]!.ns - before.inference_stats[name]!.ns,
    });
    const parts = ['compute_input', 'queue', 'compute_infer', 'compute_output'].map(growth);
    const success = growth('success');
    expect(success.count).toBe(5);
    expect(growth('fail').count).toBe(2);
    expect(growth('fail').ns).toBeGreaterThan(0);
    expect(parts.map(({ count }) => count)).toEqual([5, 5, 5, 5]);
    expect(parts.every(({ ns }) => Number.isSafeInteger(ns) && ns >= 0)).toBe(true);
    expect(growth('compute_infer').ns).toBeGreaterThan(0);
    const sum = parts.reduce((total, { ns }) => total + ns, 0);
    expect(sum).toBeLessThanOrEqual(success.ns);
    expect(success.ns + growth('fail').ns).toBeLessThan(took);
  });

  test('distinguish waiting from running', async () => {
    const before = (await statistics('/v2/models/slow')).inference_stats;
    const ask = () => post('/models/slow/predict', { a: 1, b: 2 });
    // The second and third wait for the first, and may share a run.
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const after = (await statistics('/v2/models/slow')).inference_stats;
    const grown = (name: string) => (after[name]!.ns - before[name]!.ns) / 1e6;
    expect(grown('compute_infer')).toBeGreaterThan(300);
    expect(grown('queue')).toBeGreaterThan(200);
  });

  test('count the predictions of every dialect, and each once: a replayed answer does not count', async () => {
    const before = await statistics();
    for (let time = 0; time < 3; time++) await post('/predict', PATIENT, { 'idempotency-key': 'statistics' });
    await post('/invocations', { instances: [ROW, ROW] });
    const after = await statistics();
    expect(after.inference_stats.success!.count - before.inference_stats.success!.count).toBe(2);
    expect(after.inference_count - before.inference_count).toBe(3);
  });

  test('survive other changes to a model: versions that answered stay', async () => {
    const answer = await get('/v2/models/heart-failure/stats');
    expect(answer.body.model_stats.map(({ version }: Statistics) => version)).toEqual(['1']);
  });
});

test.each(['config', 'stats'])('%s needs a token, and a model that exists', async (what) => {
  for (const token of ['', 'nonsense']) {
    const answer = await get(`${HEART}/${what}`, token);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({ error: expect.stringMatching(/token/) });
  }
  for (const path of ['/v2/models/nobody', `${HEART}/versions/9`]) {
    const answer = await get(`${path}/${what}`);
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual({ error: expect.stringMatching(/./) });
  }
});

test('the supported Triton extensions are listed', async () => {
  expect((await get('/v2')).body.extensions).toEqual(['classification', 'model_configuration', 'statistics']);
});

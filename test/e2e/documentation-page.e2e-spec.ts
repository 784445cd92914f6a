import { beforeAll, describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { editJson, makeArtifact } from '../support/artifacts.js';
import { operationsIn } from '../support/openapi.js';
import { createModelDir, prepareService } from '../support/prepared-service.js';
import { startApi, startApiForThisTest, type ApiProcess } from '../support/test-api.js';
import { ERRORS, type ErrorCode } from '#libs/errors';
import { call, createUser } from '../support/client.js';

const JWT_SECRET = 'a secret that only this test file knows';

const { database, api: local, user } = prepareService();
let production: ApiProcess;

beforeAll(async () => {
  production = await startApi({ DATABASE_URL: database.url, JWT_SECRET, APP_ENV: 'production' });
});

const operations = async () => operationsIn((await call(local, 'GET', '/docs-json')).body);

describe('GET /', () => {
  test('says what this is and where its documentation is', async () => {
    const answer = await call(local, 'GET', '/');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      name: 'Foretell',
      description: 'Serves predictions from ONNX models and records every answer.',
      documentation: '/docs',
      openapi: '/docs-json',
    });
    for (const path of [answer.body.documentation, answer.body.openapi]) {
      expect((await fetch(local.url + path)).status).toBe(200);
    }
  });

  test('sends a browser to the documentation page', async () => {
    const headers = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' };
    const answer = await fetch(local.url, { headers, redirect: 'manual' });
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('/docs/');
    const page = await fetch(local.url, { headers });
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  });

  test('names no documentation if there is none', async () => {
    const headers = { accept: 'text/html' };
    const answer = await fetch(production.url, { headers, redirect: 'manual' });
    expect(answer.status).toBe(200);
    expect(Object.keys((await answer.json()) as object)).toEqual(['name', 'description']);
  });
});

describe('the API document', () => {
  test('gives every operation a summary of its own and one group, and describes each group', async () => {
    const all = await operations();
    const summaries = all.map(({ summary }) => summary);
    expect(summaries.filter((summary, index) => summaries.indexOf(summary) !== index)).toEqual([]);
    expect(all.filter(({ tags }) => tags.length !== 1).map(({ path }) => path)).toEqual([]);
    const { body } = await call(local, 'GET', '/docs-json');
    const groups = body.tags as { name: string; description: string }[];
    const used = new Set(all.flatMap(({ tags }) => tags));
    expect(groups.map(({ name }) => name).toSorted()).toEqual([...used].toSorted());
    for (const { description } of groups) expect(description).toMatch(/\.$/);
  });

  test('begins with the three calls that a new user makes, then has one group for each model', async () => {
    const { body } = await call(local, 'GET', '/docs-json');
    const groups = (body.tags as { name: string }[]).map(({ name }) => name);
    expect(groups.slice(0, 4)).toEqual([
      'Start here',
      'Model california-housing',
      'Model heart-failure',
      'Model iris',
    ]);
    const inGroup = async (group: string) =>
      (await operations()).filter(({ tags }) => tags[0] === group).map(({ path }) => path);
    expect(await inGroup('Start here')).toEqual(['/register-user', '/token', '/predict']);
    expect(await inGroup('Model iris')).toEqual(['/models/iris/predict', '/models/iris/versions/1/predict']);
  });
});

describe('the examples of the API document', () => {
  test('leave out what a model cannot answer, or answers at great length, and count in no metric', async () => {
    const folder = createModelDir({ foreign: ['fragile'] });
    const labels = ['stays', 'leaves'].map((label) => label.repeat(166));
    const long = await makeArtifact(
      join(folder, 'long-winded/1'),
      { name: 'long-winded', manifest: { labels } },
      'model-artifacts/heart-failure/1',
    );
    await editJson(join(long, 'golden.json'), ({ tolerance, cases }) => ({
      tolerance,
      cases: cases.map(({ input, output }: { input: object; output: { probabilities: number[] } }) => ({
        input,
        output: { probabilities: output.probabilities },
      })),
    }));
    const other = await startApiForThisTest({ DATABASE_URL: database.url, MODEL_DIR: folder });
    const { token } = await createUser(other, database);
    const figures = () => call(other, 'GET', '/v2/models/iris/stats', { token });
    const before = await figures();
    const answer = await call(other, 'GET', '/docs-json');
    expect(answer.status, answer.text).toBe(200);
    expect((await figures()).body).toEqual(before.body);
    const exampleOf = (model: string) =>
      answer.body.paths[`/models/${model}/predict`].post.responses['200'].content['application/json'].example;
    expect(exampleOf('iris')).toMatchObject({ model: { name: 'iris' } });
    expect(exampleOf('fragile')).toBeUndefined();
    expect(exampleOf('long-winded')).toBeUndefined();
  });

  test('of errors have the types of real errors', async () => {
    const all = await operations();
    const errors = all.flatMap(({ responses, path }) =>
      Object.entries(responses)
        .filter(([status, { content }]) => Number(status) >= 400 && content?.['application/problem+json'])
        .map(([status, { content }]) => ({ status, path, ...content!['application/problem+json'] })),
    );
    expect(errors.length).toBeGreaterThan(100);
    for (const { status, path, examples = {} } of errors) {
      expect(Object.keys(examples).length, `${path} ${status}`).toBeGreaterThan(0);
      for (const [code, { value }] of Object.entries(examples)) {
        const { title } = ERRORS[code as ErrorCode];
        expect(value).toMatchObject({ type: `urn:foretell:error:${code}`, title, status: Number(status) });
      }
    }
  });

  test('of predictions are what the models really answer', async () => {
    const { token } = user;
    const { body: document } = await call(local, 'GET', '/docs-json');
    const posts = (await operations()).filter(
      ({ path, responses }) => /predict$|invocations$|infer$/.test(path) && responses['200'],
    );
    expect(posts.length).toBe(12);
    for (const { path } of posts) {
      const { requestBody, responses } = document.paths[path].post;
      const asked = requestBody.content['application/json'];
      const body = asked.example ?? document.components.schemas.Features.example;
      const real = path.replace('{name}', 'heart-failure').replace('{version}', '1');
      const answer = await call(local, 'POST', real, { token, body });
      expect(answer.status, path).toBe(200);
      const { example } = responses['200'].content['application/json'];
      const sameId = example.request_id === undefined ? {} : { request_id: example.request_id };
      expect({ ...answer.body, ...sameId }, path).toEqual(example);
    }
  });
});

import { beforeAll, describe, expect, test } from 'vitest';
import { startApi, startApiForThisTest, type ApiProcess } from '../support/test-api.js';
import { call, PATIENT, type Answer } from '../support/client.js';
import { operationsIn } from '../support/openapi.js';
import { prepareService } from '../support/prepared-service.js';
import { expectProblem } from '../support/problems.js';

const JWT_SECRET = 'a secret that only this test file knows';

const { database, api: local, user } = prepareService({ JWT_SECRET });
let production: ApiProcess;

const startWith = (environment: Record<string, string>, start = startApiForThisTest) =>
  start({ DATABASE_URL: database.url, JWT_SECRET, ...environment });

beforeAll(async () => {
  production = await startWith({ APP_ENV: 'production' }, startApi);
});

const get = (api: ApiProcess, path: string) => call(api, 'GET', path);

function expectNotFound(answer: Answer): void {
  expectProblem(answer, 404, 'Not found');
  expect(answer.body.type).toBe('urn:foretell:error:not-found');
  expect(Object.keys(answer.body)).toHaveLength(6);
}

/** The page, after the redirect that gives its relative links their folder. */
async function expectPage(api: ApiProcess, path: string): Promise<void> {
  const page = await fetch(api.url + path);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  const html = await page.text();
  expect(html).toContain('<title>Foretell</title>');
  const links = [...html.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, link]) => link!);
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) {
    const { pathname } = new URL(link, page.url);
    expect((await get(api, pathname)).status, link).toBe(200);
  }
}

describe('health', () => {
  test('/health names the components, their states, and the model', async () => {
    const answer = await get(local, '/health');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      status: 'ok',
      checks: { database: 'ok', model: 'ok' },
      model: { name: 'heart-failure', version: '1' },
    });
  });

  test('/health leaves the model out in production', async () => {
    const answer = await get(production, '/health');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ status: 'ok', checks: { database: 'ok', model: 'ok' } });
    expect(answer.text).not.toContain('heart-failure');
  });

  test('/health names the model in staging', async () => {
    const api = await startWith({ APP_ENV: 'staging' });
    expect((await get(api, '/health')).body.model).toEqual({ name: 'heart-failure', version: '1' });
    expect((await get(api, '/docs-json')).status).toBe(200);
    await expectPage(api, '/docs');
  });

  test.each(['/livez', '/readyz'])('%s says ok', async (path) => {
    for (const api of [local, production]) {
      const answer = await get(api, path);
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('{"status":"ok"}');
    }
  });

  test('needs no token, and ignores a bad one', async () => {
    for (const path of ['/health', '/livez', '/readyz']) {
      expect((await call(production, 'GET', path, { token: 'nonsense' })).status).toBe(200);
    }
  });
});

describe('the documentation', () => {
  test('is a page at /docs, with everything it links to', async () => {
    await expectPage(local, '/docs');
    await expectPage(local, '/docs/');
  });

  test('and its JSON answer 404 in production', async () => {
    for (const path of [
      '/docs',
      '/docs/',
      '/docs-json',
      '/docs/swagger-ui.css',
      '/docs/swagger-ui-init.js',
    ]) {
      expectNotFound(await get(production, path));
    }
  });

  test('and its JSON are served in production with DOCS_ENABLED=true, at DOCS_PATH', async () => {
    const environment = { APP_ENV: 'production', DOCS_ENABLED: 'true', DOCS_PATH: '/api/reference' };
    const api = await startWith(environment);
    expect((await get(api, '/api/reference-json')).body.openapi).toMatch(/^3\./);
    await expectPage(api, '/api/reference');
    for (const path of ['/docs', '/docs-json']) expectNotFound(await get(api, path));
  });

  test('and its JSON are off in local with DOCS_ENABLED=false', async () => {
    const api = await startWith({ DOCS_ENABLED: 'false' });
    for (const path of ['/docs', '/docs-json']) expectNotFound(await get(api, path));
  });

  test('names every route of the contract', async () => {
    const { body } = await get(local, '/docs-json');
    expect(operationsIn(body).map(({ method, path }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining([
        'POST /register-user',
        'POST /token',
        'GET /token_status/{token}',
        'PUT /toggle-user-permission/{user_id}/{enabled}',
        'DELETE /remove-user/{user_id}',
        'POST /predict',
        'GET /ping',
        'GET /version',
        'POST /invocations',
        'POST /models/{name}/invocations',
        'POST /models/{name}/versions/{version}/invocations',
        'GET /v2',
        'GET /v2/health/live',
        'GET /v2/health/ready',
        'GET /v2/models/{name}',
        'GET /v2/models/{name}/ready',
        'GET /v2/models/{name}/versions/{version}',
        'GET /v2/models/{name}/versions/{version}/ready',
        'POST /v2/models/{name}/infer',
        'POST /v2/models/{name}/versions/{version}/infer',
        'GET /audit/predictions',
        'GET /health',
        'GET /livez',
        'GET /readyz',
      ]),
    );
  });

  test('names the refusals of every route, in the form of its dialect', async () => {
    const { body: document } = await get(local, '/docs-json');
    const forms = new Map<string, Set<string>>();
    for (const { method, path, responses, security, requestBody } of operationsIn(document)) {
      const statuses = Object.keys(responses);
      const name = `${method} ${path}`;
      if (security.length > 0) expect(statuses, name).toEqual(expect.arrayContaining(['401', '503']));
      if (requestBody) expect(statuses, name).toEqual(expect.arrayContaining(['400', '413', '415']));
      expect(statuses, name).toContainEqual(expect.stringMatching(/^2/));
      const dialect = path.startsWith('/v2') ? 'v2' : /^\/ping|invocations$/.test(path) ? 'mlflow' : 'plain';
      for (const status of statuses.filter((each) => Number(each) >= 400 && each !== '503')) {
        const [[type, { schema }] = ['none', {}]] = Object.entries(responses[status]!.content!);
        forms.set(dialect, (forms.get(dialect) ?? new Set()).add(`${type} ${schema?.$ref}`));
      }
    }
    expect(Object.fromEntries([...forms].map(([dialect, found]) => [dialect, [...found]]))).toEqual({
      plain: ['application/problem+json #/components/schemas/Problem'],
      mlflow: ['application/json #/components/schemas/MlflowError'],
      v2: ['application/json #/components/schemas/OpenInferenceError'],
    });
  });

  test.each([
    ['/invocations', '{"predictions":[1]}'],
    ['/v2/models/{name}/infer', /"outputs":\[/],
  ])('has an example for %s that works', async (path, expected) => {
    const { body: document } = await get(local, '/docs-json');
    const { example } = document.paths[path].post.requestBody.content['application/json'];
    const options = { body: example, token: user.token };
    const answer = await call(local, 'POST', path.replace('{name}', 'heart-failure'), options);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).toMatch(expected);
  });

  test('requires a bearer token only on the routes that need one', async () => {
    const { body } = await get(local, '/docs-json');
    const [[name, scheme]] = Object.entries(body.components.securitySchemes) as [[string, object]];
    expect(scheme).toMatchObject({ type: 'http', scheme: 'bearer' });
    expect(body.paths['/predict'].post.security).toEqual([{ [name]: [] }]);
    expect(body.paths['/audit/predictions'].get.security).toEqual([{ [name]: [] }]);
    expect(body.paths['/remove-user/{user_id}'].delete.security).toEqual([{ [name]: [] }]);
    expect(body.paths['/token'].post.security).toEqual([]);
    expect(body.paths['/register-user'].post.security).toEqual([]);
  });

  test('describes the body of /predict from the model’s input schema, with an example that works', async () => {
    const { body: document } = await get(local, '/docs-json');
    const described = document.paths['/predict'].post.requestBody.content['application/json'].schema;
    const schema = document.components.schemas[described.$ref.split('/').at(-1)];
    const columns = Object.keys(PATIENT);
    expect(schema.type).toBe('object');
    expect(Object.keys(schema.properties)).toEqual(columns);
    expect(schema.required.toSorted()).toEqual(columns.toSorted());
    for (const column of columns) {
      const { anyOf, description } = schema.properties[column];
      const isBoolean = column === 'sex' || column === 'high_blood_pressure';
      expect(anyOf[0].type, column).toBe(isBoolean ? 'boolean' : 'number');
      const types = anyOf.map(({ type }: { type: string }) => type);
      expect(types).toEqual(expect.arrayContaining(['string', 'null']));
      expect(description).toMatch(/./);
    }

    const answer = await call(local, 'POST', '/predict', { body: schema.example, token: user.token });
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"yhat_prob":"0.5124506","yhat":"1"}');
  });
});

describe('every answer', () => {
  test.each([
    ['GET', '/nowhere'],
    ['POST', '/nowhere'],
    ['GET', '/audit'],
    ['GET', '/token_status'],
    ['GET', '/docs/nothing'],
    ['GET', '/docs/..%2f..%2fpackage.json'],
  ])('to %s %s, an unknown route, is a 404 problem', async (method, path) => {
    for (const api of [local, production]) expectNotFound(await call(api, method, path));
  });

  test('to a malformed URL is a 400 problem under the id of the request', async () => {
    for (const path of ['/%zz', '/token_status/%ff', '/remove-user/%']) {
      const answer = await call(local, 'GET', path, { headers: { 'x-request-id': 'malformed-1' } });
      expectProblem(answer, 400, 'Bad request');
      expect(answer.headers.get('x-request-id')).toBe('malformed-1');
    }
  });

  test('carries the security headers and no name of the server’s software', async () => {
    const { token } = user;
    const page = await get(local, '/docs/');
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'self';.*script-src 'self';/);
    const answers = [
      await get(local, '/health'),
      await get(local, '/nowhere'),
      await get(local, '/docs-json'),
      await get(production, '/health'),
      await call(local, 'POST', '/predict', { body: PATIENT }),
      await call(local, 'POST', '/predict', { body: PATIENT, token }),
      await call(local, 'POST', '/predict', { body: 'age=25', token }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 200, 200, 401, 200, 400]);
    for (const { headers } of answers) {
      expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'");
    }
    for (const { headers } of [page, await get(local, '/docs/swagger-ui.css'), ...answers]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('strict-transport-security')).toMatch(/max-age=\d+/);
      expect(headers.get('x-request-id')).toMatch(/./);
      expect(headers.get('x-powered-by')).toBe(null);
      expect(headers.get('server')).toBe(null);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { call, PATIENT } from '../support/client.js';
import { operationsIn } from '../support/openapi.js';
import { connectTo, exchange, type RawAnswer } from '../support/raw-http.js';
import { prepareService } from '../support/prepared-service.js';

type Form = 'problem' | 'mlflow' | 'oip';

/** A request line, and the form of every refusal there, wherever it is refused. */
const TARGETS: [target: string, form: Form][] = [
  ['/predict', 'problem'],
  ['/predict?x=/invocations', 'problem'],
  ['/predict#/v2/invocations', 'problem'],
  ['/models/x/predict', 'problem'],
  ['/models/x/versions/1/predict', 'problem'],
  ['/nothing', 'problem'],
  ['/pings', 'problem'],
  ['/ping', 'mlflow'],
  ['/ping?x', 'mlflow'],
  ['/ping/', 'mlflow'],
  ['/invocations', 'mlflow'],
  ['/invocations/', 'mlflow'],
  ['/invocations?model=x', 'mlflow'],
  ['/models/x/invocations', 'mlflow'],
  ['/models/x/versions/1/invocations', 'mlflow'],
  ['/models/x/nothing/invocations', 'mlflow'],
  ['/invocation%73', 'mlflow'],
  ['/x-invocations', 'problem'],
  ['/invocations/x', 'problem'],
  ['/v2', 'oip'],
  ['/v2/', 'oip'],
  ['/v2?x', 'oip'],
  ['/v2/?x', 'oip'],
  ['/v2/nothing', 'oip'],
  ['/v2/invocations', 'oip'],
  ['/v2/%zz', 'oip'],
  ['/%762/models/x', 'oip'],
  ['http://elsewhere.example/v2/models/x', 'oip'],
  ['HTTP://elsewhere.example/models/x/invocations', 'mlflow'],
  ['/v2foo', 'problem'],
  ['/v20', 'problem'],
  ['/v2.0/models/x', 'problem'],
  ['/x/v2', 'problem'],
];

const { api, user } = prepareService();

async function ask(method: string, target: string, headers = 'host: a\r\n'): Promise<RawAnswer> {
  const [answer] = await exchange(api, `${method} ${target} HTTP/1.1\r\n${headers}connection: close\r\n\r\n`);
  return answer!;
}

function formOf({ headers, body }: RawAnswer): Form | string {
  const members = Object.keys(JSON.parse(body)).join();
  const type = headers['content-type']!.split(';')[0];
  if (type === 'application/problem+json' && members.startsWith('type,title,status')) return 'problem';
  if (type !== 'application/json') return `${type} with ${members}`;
  return { 'error_code,message': 'mlflow', error: 'oip' }[members] ?? members;
}

const formsBy = async (refuse: (target: string) => Promise<RawAnswer>) =>
  Object.fromEntries(
    await Promise.all(TARGETS.map(async ([target]) => [target, formOf(await refuse(target))] as const)),
  );

describe('a path has one form, wherever it is refused', () => {
  const expected = Object.fromEntries(TARGETS);

  test('the router: another method, or an unknown path', async () => {
    expect(await formsBy((target) => ask('DELETE', target))).toEqual(expected);
  });

  test('before the router: a message that two parsers could read differently', async () => {
    expect(await formsBy((target) => ask('POST', target, 'host: a\r\nhost: b\r\n'))).toEqual(expected);
  });

  test('the door, on overload', async () => {
    const stop = overload(user.token, 1_000);
    try {
      const { '/ping': _, '/ping?x': __, ...refusable } = expected;
      const found = await Promise.all(
        Object.keys(refusable).map(async (target) => [target, formOf(await refusedAtTheDoor(target))]),
      );
      expect(Object.fromEntries(found)).toEqual(refusable);
    } finally {
      stop();
    }
    // The last request is still being worked on.
    await expect.poll(async () => (await call(api, 'GET', '/docs-json')).status).toBe(200);
  });

  test('the OpenAPI document', async () => {
    const { body: document } = await call(api, 'GET', '/docs-json');
    const schemas = { Problem: 'problem', MlflowError: 'mlflow', OpenInferenceError: 'oip' };
    const told: Record<string, string> = {};
    const found: Record<string, string> = {};
    for (const { path, responses } of operationsIn(document)) {
      const [media] = Object.values(responses['400']!.content!);
      const name = media!.schema!.$ref!.split('/').at(-1)!;
      if (told[path] !== undefined) continue;
      told[path] = schemas[name as keyof typeof schemas];
      found[path] = formOf(await ask('TRACE', path.replaceAll(/[{}]/g, '')));
    }
    expect(Object.keys(told).length).toBeGreaterThan(30);
    expect(told).toEqual(found);
  });
});

test('the document has an example that works for every media type that every dialect reads', async () => {
  const { body: document } = await call(api, 'GET', '/docs-json');
  const { token } = user;
  const found: string[] = [];
  for (const { path, requestBody } of operationsIn(document)) {
    if (!/(predict|invocations|infer)$/.test(path)) continue;
    for (const [type, { schema, example }] of Object.entries(requestBody!.content)) {
      const name = schema!.$ref?.split('/').at(-1);
      const body = (example ?? document.components.schemas[name!].example) as object | string;
      const at = path.replace('{name}', 'heart-failure').replace('{version}', '1');
      const answer = await call(api, 'POST', at, { body, token, headers: { 'content-type': type } });
      expect(answer.status, `${path} ${type} ${answer.text}`).toBe(200);
      expect(schema!.type === 'string', type).toBe(type === 'text/csv');
      found.push(`${path.replace(/^\/models\/[^{/]+\//, '/models/…/')} ${type}`);
    }
  }
  expect([...new Set(found)].toSorted()).toEqual([
    '/invocations application/json',
    '/invocations text/csv',
    '/models/{name}/invocations application/json',
    '/models/{name}/invocations text/csv',
    '/models/{name}/versions/{version}/invocations application/json',
    '/models/{name}/versions/{version}/invocations text/csv',
    '/models/…/predict application/json',
    '/models/…/versions/1/predict application/json',
    '/predict application/json',
    '/v2/models/{name}/infer application/json',
    '/v2/models/{name}/versions/{version}/infer application/json',
  ]);
});

/** A request that the door refuses has no id: it is refused before its headers are read. */
async function refusedAtTheDoor(target: string): Promise<RawAnswer> {
  for (;;) {
    const answer = await ask('DELETE', target);
    if (answer.status === 503 && answer.headers['x-request-id'] === undefined) return answer;
  }
}

/** Sends the next request on each connection as soon as the last one is answered. */
function overload(token: string, connections: number): () => void {
  const body = JSON.stringify(PATIENT);
  const request =
    `POST /predict HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const sockets = Array.from({ length: connections }, () => {
    const socket = connectTo(api);
    socket.on('data', () => socket.write(request));
    socket.write(request);
    return socket;
  });
  return () => sockets.forEach((socket) => socket.destroy());
}

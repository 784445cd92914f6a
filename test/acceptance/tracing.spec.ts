import { beforeAll, expect, test } from 'vitest';
import { call, createUser, PATIENT } from '../support/client.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.js';
import { prepareDatabase } from '../support/prepared-service.js';
import { startApiForThisTest } from '../support/test-api.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

const database = prepareDatabase();
let receiver: OtlpReceiver;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  return () => receiver.close();
});

const settings = (protocol: string) => ({
  DATABASE_URL: database.url,
  OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  OTEL_BSP_SCHEDULE_DELAY: '50',
});

/** Name → name of its parent. */
function parents(spans: readonly ReceivedSpan[]): Record<string, string> {
  const nameOf = new Map(spans.map(({ spanId, name }) => [spanId, name]));
  return Object.fromEntries(
    spans.map(({ name, parentSpanId }) => [name, nameOf.get(parentSpanId) ?? parentSpanId]),
  );
}

test.each([
  ['http/protobuf', 'application/x-protobuf'],
  ['http/json', 'application/json'],
])('a prediction is a trace, sent by %s', async (protocol, type) => {
  const api = await startApiForThisTest(settings(protocol));
  const { token } = await createUser(api, database);
  const requestId = `of-${protocol}`;
  const headers = { traceparent: `00-${TRACE}-${CALLER}-01`, 'x-request-id': requestId };
  const answer = await call(api, 'POST', '/predict', { body: PATIENT, token, headers });
  expect(answer.status).toBe(200);
  const spans = (await receiver.ofRequest(requestId)).filter(
    ({ parentSpanId, attributes }) => parentSpanId !== CALLER || attributes.request_id === requestId,
  );
  const request = spans.find(({ attributes }) => attributes.request_id === requestId)!;
  expect(request).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, name: 'POST /predict' });
  expect(request.attributes).toMatchObject({
    'http.request.method': 'POST',
    'http.route': '/predict',
    'foretell.model': 'heart-failure',
    'foretell.model_version': '1',
  });
  if (protocol === 'http/json') expect(request.attributes['http.response.status_code']).toBe('200');
  const ofThis = spans.filter(
    ({ spanId, parentSpanId }) =>
      spanId === request.spanId ||
      parentSpanId === request.spanId ||
      spans.some((other) => other.spanId === parentSpanId && other.parentSpanId === request.spanId),
  );
  expect(parents(ofThis)).toEqual({
    'POST /predict': CALLER,
    coerce: 'POST /predict',
    infer: 'POST /predict',
    record: 'POST /predict',
    'record queue': 'record',
    'record commit': 'record',
  });
  expect(receiver.types).toContain(type);
});

test('refusals are traced as well, and no personal data is ever sent', async () => {
  const api = await startApiForThisTest(settings('http/json'));
  const user = await createUser(api, database);
  const { token } = user;
  const refused = { 'x-request-id': 'refused-row' };
  await call(api, 'POST', '/predict', {
    body: { ...PATIENT, age: 'a secret of the patient' },
    token,
    headers: refused,
  });
  const spans = await receiver.ofRequest('refused-row');
  expect(spans.map(({ name }) => name).toSorted()).toEqual(
    ['POST /predict', 'coerce', 'record', 'record commit', 'record queue'].toSorted(),
  );
  await call(api, 'GET', `/token_status/${token}`, { headers: { 'x-request-id': 'token-in-path' } });
  expect((await receiver.ofRequest('token-in-path'))[0]!.name).toBe('GET /token_status/:token');
  await call(api, 'GET', '/some/where?q=a-query', {
    headers: { 'x-request-id': 'nowhere', traceparent: 'nonsense' },
  });
  const [nowhere] = await receiver.ofRequest('nowhere');
  expect(nowhere).toMatchObject({ name: 'GET unknown', parentSpanId: '' });
  const sent = Buffer.concat(receiver.bodies).toString('latin1');
  for (const secret of [
    token,
    user.username,
    user.email,
    user.password,
    'secret of',
    'a-query',
    'creatinine',
  ]) {
    expect(sent).not.toContain(secret);
  }
});

test('the remaining spans are sent when it stops, and an unreachable collector holds nothing up', async () => {
  const api = await startApiForThisTest({ ...settings('http/json'), OTEL_BSP_SCHEDULE_DELAY: '3600000' });
  await call(api, 'GET', '/livez', { headers: { 'x-request-id': 'the-last' } });
  expect(await api.stop()).toBe(0);
  expect(await receiver.ofRequest('the-last')).toHaveLength(1);

  const alone = await startApiForThisTest({
    ...settings('http/json'),
    // No one listens there.
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
  });
  const { token } = await createUser(alone, database);
  expect((await call(alone, 'POST', '/predict', { body: PATIENT, token })).status).toBe(200);
  await expect.poll(() => alone.output(), { timeout: 30_000 }).toContain('traces cannot be sent');
  expect(await alone.stop()).toBe(0);
});

/** Prints at its end how many of OpenTelemetry's files the process has loaded, except the bare API of prom-client. */
const TELLING = `data:text/javascript,${encodeURIComponent(`
  import { Session } from 'node:inspector';
  import { isMainThread } from 'node:worker_threads';
  let loaded = 0;
  const session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params }) => {
    if (/@opentelemetry.(?!api.)/.test(params.url)) loaded++;
  });
  session.post('Debugger.enable');
  if (isMainThread) process.on('exit', () => console.log('files of OpenTelemetry: ' + loaded));
`)}`;

test('none of it is loaded unless requested', async () => {
  const loadedBy = async (environment: Record<string, string>) => {
    const api = await startApiForThisTest({
      DATABASE_URL: database.url,
      NODE_OPTIONS: `--import ${TELLING}`,
      ...environment,
    });
    await call(api, 'GET', '/livez');
    await api.stop();
    return Number(/files of OpenTelemetry: (\d+)/.exec(api.output())![1]);
  };
  expect(await loadedBy({})).toBe(0);
  expect(await loadedBy(settings('http/json'))).toBeGreaterThan(10);
});

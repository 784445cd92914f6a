/**
 * The client that openapi-typescript generates from our API document calls each of its groups. Compiling shows that the
 * types can be used; the assertions show that the service's answers match them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema.js';

const {
  FORETELL_URL: baseUrl = '',
  FORETELL_ADMIN_TOKEN: adminToken = '',
  OPENAPI_DOCUMENT = '',
} = process.env;
const document = JSON.parse(readFileSync(OPENAPI_DOCUMENT, 'utf8')) as {
  tags: { name: string }[];
  paths: Record<string, Record<string, { tags: [string] }>>;
};

const called = new Set<string>();
const remember: Middleware = {
  onRequest({ schemaPath, request }) {
    called.add(document.paths[schemaPath]![request.method.toLowerCase()]!.tags[0]);
  },
};

function clientWith(token?: string) {
  const client = createClient<paths>({
    baseUrl,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  client.use(remember);
  return client;
}

const newcomer = { username: 'typescript', password: 'a password of this client', email: 'ts@example.org' };
const patient: components['schemas']['Features'] = {
  age: 25,
  creatinine_phosphokinase: 1000,
  ejection_fraction: 35,
  platelets: 500000,
  serum_creatinine: 8,
  serum_sodium: 135,
  sex: 1,
  high_blood_pressure: 0,
};

// Start here
const nobody = clientWith();
const registered = await nobody.POST('/register-user', { body: newcomer });
assert.equal(registered.response.status, 201);
const { data: credentials } = await nobody.POST('/token', { body: newcomer });
assert.ok(credentials);
const client = clientWith(credentials.token);
const predicted = await client.POST('/predict', { body: patient });
assert.equal(predicted.data?.yhat_prob, '0.5124506');
const refused = await client.POST('/predict', { body: {} as typeof patient });
assert.equal(refused.error?.type, 'urn:foretell:error:bad-request');

// The models
const heart = await client.POST('/models/heart-failure/predict', { body: { instances: [patient, patient] } });
assert.equal(heart.data?.predictions.length, 2);
const iris = await client.POST('/models/iris/versions/1/predict', {
  body: { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 },
});
assert.equal(iris.data?.predictions[0]?.label, 'setosa');
const { data: offered } = await client.GET('/models');
const housing = offered?.models.find(({ name }) => name === 'california-housing')?.serving?.example;
assert.ok(housing);
const priced = await client.POST('/models/california-housing/predict', { body: housing as never });
assert.equal(typeof priced.data?.predictions[0]?.prediction, 'number');
const absent = await client.GET('/models/{name}', { params: { path: { name: 'nosuch' } } });
assert.equal(absent.error?.type, 'urn:foretell:error:model-not-found');

// Batches
const submitted = await client.POST('/batches', {
  params: { query: { model: 'heart-failure', format: 'csv' } },
  headers: { 'content-type': 'text/csv' },
  body: `${Object.keys(patient).join()}\n${Object.values(patient).join()}\n`,
  bodySerializer: (file) => file,
});
assert.equal(submitted.data?.state, 'queued', JSON.stringify(submitted.error));
const batch = await client.GET('/batches/{id}', { params: { path: { id: submitted.data.id } } });
assert.equal(batch.data?.model.name, 'heart-failure');

// MLflow and the Open Inference Protocol
const scored = await client.POST('/invocations', { body: { dataframe_records: [patient] } as never });
assert.ok(scored.data, JSON.stringify(scored.error));
const inputs = Object.entries(patient).map(([name, value]) => ({
  name,
  shape: [1],
  datatype: 'FP64',
  data: [value],
}));
const inferred = await client.POST('/v2/models/{name}/infer', {
  params: { path: { name: 'heart-failure' } },
  body: { inputs } as never,
});
assert.ok(inferred.data, JSON.stringify(inferred.error));

// For analysts and admins
const admin = clientWith(adminToken);
const log = await admin.GET('/audit/predictions', {
  params: { query: { user: newcomer.username, limit: 10 } },
});
assert.ok(log.data && log.data.items.length > 0);
const disabled = await admin.PUT('/toggle-user-permission/{user_id}/{enabled}', {
  params: { path: { user_id: registered.data!.user_id, enabled: '0' } },
});
assert.equal(disabled.data?.user_id, registered.data!.user_id);
const turnedAway = await client.POST('/predict', { body: patient });
assert.equal(turnedAway.error?.type, 'urn:foretell:error:unauthorized');

// The service
const { data: health } = await nobody.GET('/health');
assert.equal(health?.status, 'ok');

assert.deepEqual(
  [...called].toSorted(),
  document.tags.map(({ name }) => name).toSorted(),
  'every group of the document is called',
);
console.log(`TypeScript: ${called.size} groups called`);

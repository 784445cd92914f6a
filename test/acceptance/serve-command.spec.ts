import { expect, onTestFinished, test } from 'vitest';
import { makeArtifact } from '../support/artifacts.js';
import { call } from '../support/client.js';
import { ModelWorkplace } from '../support/model-workplace.js';

/** `foretell serve …`; resolves once it listens. */
async function serve(place: ModelWorkplace, ...args: string[]) {
  const service = place.dataDir.spawnForetell(['serve', ...args], {
    environment: { ...place.environment, HOST: 'localhost' },
    detached: true,
  });
  const url = await expect
    .poll(() => /API +(http:\S+)/.exec(service.output())?.[1], { timeout: 60_000 })
    .toBeDefined()
    .then(() => /API +(http:\S+)/.exec(service.output())![1]!);
  onTestFinished(async () => {
    await service.signal('SIGTERM');
  });
  return { service, url };
}

test('the folder of an artifact is registered and answers at once, at the given address', async () => {
  const place = await ModelWorkplace.create();
  const folder = await place.make({ name: 'flowers', version: '7' });
  const { service, url } = await serve(place, '-m', folder, '-p', '0', '--host', '127.0.0.1');
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  const health = await call({ url }, 'GET', '/health');
  expect(health.body).toMatchObject({ status: 'ok', model: { name: 'flowers', version: '7' } });
  expect(await service.signal('SIGTERM')).toMatchObject({ code: 0 });
  // Different content is refused as version 7.
  await makeArtifact(folder, { name: 'flowers', version: '7', description: 'other petals' });
  const refused = await place.dataDir.foretell(['serve', '-m', folder, '-p', '0'], {
    environment: place.environment,
  });
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^Model version exists: [^\n]+\n$/);
});

test('a URI names a registered version', async () => {
  const place = await ModelWorkplace.create();
  const { url } = await serve(place, '--model', 'models:/heart-failure/Production', '--port', '0');
  const health = await call({ url }, 'GET', '/health');
  expect(health.body).toMatchObject({ model: { name: 'heart-failure', version: '1' } });
});

test.each(['SIGINT', 'SIGHUP'] as const)(
  'a terminal that sends %s to the whole process group ends the service in its order',
  async (signal) => {
    const place = await ModelWorkplace.create();
    const { service } = await serve(place, '-p', '0');
    process.kill(-service.process.pid!, signal);
    expect(await service.ended).toMatchObject({ code: 0 });
  },
);

test.each([
  ['-p', '65536'],
  ['-p', 'http'],
  ['--models', 'iris'],
])('wrong arguments end with 2: %s %s', async (...args) => {
  const place = await ModelWorkplace.create();
  expect(await place.dataDir.foretell(['serve', ...args])).toMatchObject({ code: 2, stdout: '' });
});

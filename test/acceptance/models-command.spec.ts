import { readdirSync, truncateSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tarGz } from '../support/archives.js';
import { FOREIGN, type Changes } from '../support/artifacts.js';
import { call, createUser, type TestUser } from '../support/client.js';
import { DataDir, type Service } from '../support/data-dir.js';
import { models, ModelWorkplace, refused } from '../support/model-workplace.js';
import { createDataDir } from '../support/test-data-dir.js';

const FLOWER = { sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2 };
const SHA256 = '[0-9a-f]{64}';

describe('with no service running', () => {
  test('a model is registered, promoted, rolled back and inspected; nothing is left running', async () => {
    const place = await ModelWorkplace.create();
    expect(await models(place, 'list')).toBe(
      'No model is registered. The service registers everything in MODEL_DIR when it starts.\n',
    );
    expect(await models(place, 'register', await place.make({ version: '1' }))).toMatch(
      new RegExp(
        `^Registered iris 1 \\(sha256 ${SHA256}\\)\\.\niris@production is version 1; 0 processes serve it\\.\n$`,
      ),
    );
    expect(await models(place, 'register', await place.make({ version: '2' }))).toMatch(
      new RegExp(`^Registered iris 2 \\(sha256 ${SHA256}\\)\\.\n$`),
    );
    expect(readdirSync(join(place.modelDir, 'iris'))).toEqual(['1', '2']);
    expect(await models(place, 'promote', 'iris', '2')).toBe(
      'iris@production is version 2, was 1; 0 processes serve it.\n',
    );
    expect(await models(place, 'rollback', 'iris')).toBe(
      'iris@production is version 1, was 2; 0 processes serve it.\n',
    );
    expect(await models(place, 'list')).toMatch(/iris.*multiclass_classification.*1, 2.*production=1/);
    const shown = await models(place, 'show', 'iris');
    expect(shown).toMatch(/^Versions of iris\n[^]*Aliases, newest first\n[^]*What each process serves\n/);
    const by = `command line (${userInfo().username})`;
    expect(shown.split(by).length - 1, shown).toBe(2 + 3);
    expect(await place.dataDir.processes()).toEqual([]);
  });
});

describe('while a service runs', () => {
  let place: ModelWorkplace;
  let service: Service;
  let user: TestUser;

  beforeAll(async () => {
    place = new ModelWorkplace(DataDir.create());
    service = await place.dataDir.startService({ environment: place.environment });
    user = await createUser(service, place.dataDir, 'admin');
  });

  afterAll(() => place?.dataDir.dispose());

  let count = 0;
  const newName = () => `flowers-${++count}`;

  /** A new model with this many versions, the first one in production; uploaded, because that is faster. */
  async function registered(versions: number): Promise<string> {
    const name = newName();
    for (let version = 1; version <= versions; version++) {
      const answer = await call(service, 'POST', `/models/${name}/versions`, {
        token: user.token,
        headers: { 'content-type': 'application/gzip' },
        body: await tarGz(await place.make({ name, version: `${version}` })),
      });
      expect(answer.status, answer.text).toBe(201);
    }
    return name;
  }

  /** The version that answers, or the status if none does. */
  async function answering(name: string): Promise<string | number> {
    const answer = await call(service, 'POST', `/models/${name}/predict`, {
      body: FLOWER,
      token: user.token,
    });
    return answer.status === 200 ? answer.body.model.version : answer.status;
  }

  async function expectSoon(name: string, version: string): Promise<void> {
    await expect.poll(() => answering(name), { timeout: 2_000 }).toBe(version);
  }

  describe('register', () => {
    test('a model with the default settings of skl2onnx answers by name, without a restart', async () => {
      const name = newName();
      const told = await models(place, 'register', await place.make({ name }, FOREIGN));
      expect(told).toContain(`${name}@production is version 1; 1 process serves it.\n`);
      await expectSoon(name, '1');
    });

    test('the same content again changes nothing and says so; other content is refused', async () => {
      const name = await registered(1);
      const again = await models(place, 'register', await place.make({ name }));
      expect(again).toBe(`${name} 1 was already registered with the same content.\n`);
      const other = await refused(place, 'register', await place.make({ name, description: 'other' }));
      expect(other).toMatch(
        new RegExp(
          `^Model version exists: ${name} 1 .*other content .*${SHA256}.*${SHA256}.*another number\\.\n$`,
        ),
      );
      await expectSoon(name, '1');
    });

    test.each<[string, Changes, RegExp]>([
      ['a broken graph', { graph: () => Buffer.from('no graph') }, /ONNX Runtime does not load model\.onnx/],
      ['a name that is a path', { name: '../iris' }, /manifest\.json .*name: must be/],
      [
        'a version called Production',
        { version: 'Production' },
        /cannot be called Production: that is an alias/,
      ],
    ])('%s: 1 and a line that says why', async (_, changes, why) => {
      const told = await refused(place, 'register', await place.make({ name: newName(), ...changes }));
      expect(told).toMatch(/^Artifact not usable: /);
      expect(told).toMatch(why);
      expect(readdirSync(place.modelDir).filter((entry) => entry.startsWith('.'))).toEqual([]);
    });

    test('a binary classifier whose golden values have no labels is registered, with a warning', async () => {
      const manifest = { labels: ['stays', 'leaves'], label_descriptions: undefined };
      const artifact = await place.make({ name: newName(), manifest }, 'model-artifacts/heart-failure/1');
      const { code, stdout, stderr } = await place.run('register', artifact);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^Registered /)]);
      expect(stderr).toMatch(/^Warning: golden\.json has no labels, so .* Add a "label" .*\n$/);
    });

    test('a missing folder: 1 and a line that names it', async () => {
      const folder = join(place.modelDir, 'nowhere');
      const told = await refused(place, 'register', folder);
      expect(told).toMatch(/^Artifact not usable: .*manifest\.json cannot be read \(ENOENT\)/);
      expect(told).toContain(folder);
    });
  });

  test('show of an unknown model: 1', async () => {
    expect(await refused(place, 'show', 'nobody')).toBe("Model not found: There is no model 'nobody'.\n");
  });

  test('promote by number, by URI and by alias, to production or another alias; the service follows', async () => {
    const name = await registered(3);
    const is = (alias: string, version: string, was = '') =>
      `${name}@${alias} is version ${version}${was && `, was ${was}`}; 1 process serves it.\n`;
    expect(await models(place, 'promote', name, '2')).toBe(is('production', '2', '1'));
    await expectSoon(name, '2');
    expect(await models(place, 'promote', `models:/${name}/3`)).toBe(is('production', '3', '2'));
    await expectSoon(name, '3');
    expect(await models(place, 'promote', name, '1', '--alias', 'Champion')).toBe(is('champion', '1'));
    await expectSoon(`${name}@champion`, '1');
    expect(await models(place, 'promote', `models:/${name}@champion`)).toBe(is('production', '1', '3'));
    await expectSoon(name, '1');
    expect(await models(place, 'rollback', name)).toBe(is('production', '3', '1'));
    expect(await models(place, 'rollback', name)).toBe(is('production', '2', '3'));
    await expectSoon(name, '2');
    expect(await refused(place, 'rollback', name, '--alias', 'champion')).toMatch(
      /^Model not found: There is nothing that .*@champion could go back to\.\n$/,
    );
    const shown = await models(place, 'show', name);
    expect(shown).toMatch(new RegExp(`${service.process.pid}.*production.*2`));
  });

  test('promote of an unknown version: 1, and nothing changes', async () => {
    const name = await registered(1);
    for (const args of [[name, '9'], [`${name}@challenger`]]) {
      expect(await refused(place, 'promote', ...args)).toMatch(/^Model not found: /);
    }
    await expectSoon(name, '1');
  });

  test('shadow and canary start, and end with --off', async () => {
    const name = await registered(2);
    expect(await models(place, 'shadow', name, '2')).toBe(
      `${name}@shadow is version 2; 1 process serves it.\n`,
    );
    expect(await models(place, 'canary', name, '2', '--percent', '100')).toContain(
      `${name}@canary is version 2;`,
    );
    expect(await models(place, 'list')).toMatch(
      new RegExp(`${name}.*canary=2 \\(100 %\\), production=1, shadow=2`),
    );
    await expectSoon(name, '2');
    expect(await place.run('promote', name, '1', '--alias', 'canary')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Bad request: A canary needs a percentage of the users/),
    });
    for (const alias of ['shadow', 'canary']) {
      expect(await models(place, alias, name, '--off')).toBe(`${name}@${alias} is removed.\n`);
    }
    expect(await refused(place, 'canary', name, '--off')).toMatch(/^Model not found: .*no alias canary\.\n$/);
    await expectSoon(name, '1');
  });

  test('canary, promote, rollback: users in the canary go back as well', async () => {
    const name = await registered(3);
    const production = (version: string, was: string) =>
      `${name}@production is version ${version}, was ${was}; 1 process serves it.\n`;
    const ended = (version: string) => `${name}@canary, which was version ${version}, has ended.\n`;
    await models(place, 'canary', name, '2', '--percent', '100');
    await expectSoon(name, '2');
    expect(await models(place, 'promote', name, '2')).toBe(production('2', '1') + ended('2'));
    expect(await models(place, 'rollback', name)).toBe(production('1', '2'));
    await expectSoon(name, '1');

    await models(place, 'promote', name, '2');
    await models(place, 'canary', name, '2', '--percent', '100');
    expect(await models(place, 'rollback', name)).toBe(production('1', '2') + ended('2'));
    await expectSoon(name, '1');

    await models(place, 'canary', name, '3', '--percent', '100');
    const goesOn =
      `The canary continues: version 3 answers 100 % of the users. ` +
      `End it with "foretell models canary ${name} --off".\n`;
    expect(await place.run('promote', name, '2')).toMatchObject({
      code: 0,
      stdout: production('2', '1'),
      stderr: goesOn,
    });
    expect(await place.run('rollback', name)).toMatchObject({ code: 0, stderr: goesOn });
    await expectSoon(name, '3');
  });

  test('verify reports the state of each version: 1 if one is damaged, as show reports, too', async () => {
    const name = await registered(2);
    const all = (await models(place, 'verify')).split('\n');
    expect(all).toEqual(expect.arrayContaining(['heart-failure 1 is ready.', `${name} 2 is ready.`]));

    truncateSync(join(place.modelDir, name, '2', 'model.onnx'), 100);
    expect(await models(place, 'verify', `models:/${name}/1`)).toBe(`${name} 1 is ready.\n`);
    const ending = await place.run('verify', name);
    expect(ending).toMatchObject({ code: 1, stdout: `${name} 1 is ready.\n` });
    expect(ending.stderr).toMatch(
      new RegExp(`^${name} 2 failed: .*sha256 of model\\.onnx is ${SHA256}, the manifest says d332b787.*\n$`),
    );
    const shown = await models(place, 'show', name);
    expect(shown).toMatch(/'2'.*'failed'/);
    expect(shown).toMatch(/^Version 2 failed: .*sha256/m);
    expect(await refused(place, 'promote', name, '2')).toMatch(/^Artifact not usable: .*sha256/);
    await expectSoon(name, '1');
    expect(await refused(place, 'verify', name, '9')).toMatch(/^Model not found: /);
  });
});

describe('wrong arguments end with 2, name the right ones, and open no database', () => {
  test.each<[string, string[], string]>([
    ['an unknown command', ['delete', 'iris'], 'unknown command'],
    ['no folder', ['register'], "missing required argument 'folder'"],
    ['percent 150', ['canary', 'iris', '2', '--percent', '150'], 'must be a number from 0 to 100'],
    ['an invalid alias', ['promote', 'iris', '2', '--alias', '2'], 'An alias is a letter, followed by'],
    ['too many', ['show', 'iris', '2'], 'too many arguments'],
    ['an unknown option', ['shadow', 'iris', '--percent', '5'], 'unknown option'],
  ])('%s', async (_, args, reason) => {
    const dataDir = createDataDir();
    const ending = await dataDir.foretell(['models', ...args]);
    expect(ending, ending.stderr).toMatchObject({ code: 2, stdout: '' });
    expect(ending.stderr).toContain(reason);
    expect(ending.stderr).toContain('Usage: foretell models');
    expect(() => readdirSync(dataDir.path)).toThrow('ENOENT');
  });
});

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CHECKOUT } from '../support/data-dir.js';

const run = promisify(execFile);

const LIBRARIES = readdirSync(join(CHECKOUT, 'libs'));
const FEATURES = ['users', 'tokens', 'models', 'predictions', 'audit', 'batches'];

const door = (library: string) => `dist/libs/${library}/src/index.js`;
const built = (file: string) => readFileSync(join(CHECKOUT, file), 'utf8');

/** What a built file imports, in any form of import. */
function importsOf(file: string): string[] {
  return [...built(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([@#\w./-]+)['"]/g)].map(
    ([, name]) => name!,
  );
}

/** `@nestjs/common` of `@nestjs/common/enums`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Everything that a library loads on import, or through what it starts: other libraries by name, and packages. */
function reachOf(library: string, ...started: string[]): { libraries: string[]; packages: string[] } {
  const libraries = new Set<string>();
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const name of importsOf(file)) {
      const [, other] = /^#libs\/(.+)$/.exec(name) ?? [];
      if (other) {
        libraries.add(other);
        visit(door(other));
      } else if (name.startsWith('.')) visit(join(dirname(file), name));
      else if (!name.startsWith('node:')) packages.add(packageOf(name));
    }
  };
  for (const file of [door(library), ...started]) visit(file);
  return { libraries: [...libraries].toSorted(), packages: [...packages].toSorted() };
}

test.each(LIBRARIES)('libs/%s can be the first import of a process: no import cycle', async (library) => {
  // With nothing in the environment that would make it do more than load.
  const script = `const door = await import('./${door(library)}'); console.log(Object.keys(door).join());`;
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: CHECKOUT,
    env: { PATH: process.env.PATH },
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  expect(stdout.trim()).not.toBe('');
});

describe('what a library loads', () => {
  test('libs/inference loads no framework, no database and no feature', () => {
    expect(reachOf('inference')).toEqual({
      libraries: ['calls', 'micro-batching'],
      packages: ['onnxruntime-node', 'zod'],
    });
  });

  test('libs/scoring loads libs/inference and the file parsers, and no framework, no database, no feature', () => {
    expect(reachOf('scoring', 'dist/libs/scoring/src/worker.js')).toEqual({
      libraries: ['calls', 'durable-files', 'inference', 'micro-batching'],
      packages: [
        'fzstd',
        'hyparquet',
        'hyparquet-compressors',
        'hyparquet-writer',
        'onnxruntime-node',
        'papaparse',
        'zod',
      ],
    });
  });

  test('libs/calls, libs/durable-files, libs/micro-batching, libs/errors and libs/precis load nothing else', () => {
    for (const library of ['calls', 'durable-files', 'micro-batching', 'errors', 'precis']) {
      expect(reachOf(library), library).toEqual({ libraries: [], packages: [] });
    }
  });

  test.each([
    ['audit', []],
    ['users', []],
    ['models', []],
    ['tokens', ['users']],
    ['predictions', ['audit', 'models']],
    ['batches', ['models']],
  ])('libs/%s loads only these features: %j', (library, expected) => {
    expect(reachOf(library).libraries.filter((name) => FEATURES.includes(name))).toEqual(expected);
  });

  test.each(LIBRARIES.filter((library) => !FEATURES.includes(library)))(
    "libs/%s loads no feature, and no feature's tables",
    (library) => {
      const { libraries, packages } = reachOf(library);
      expect(libraries.filter((name) => FEATURES.includes(name))).toEqual([]);
      expect(packages).not.toContain('#migrations');
    },
  );
});

test('only libs/config reads the environment', () => {
  const readers = LIBRARIES.filter((library) => library !== 'config').flatMap((library) =>
    readdirSync(join(CHECKOUT, 'libs', library, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
      .map((file) => `dist/libs/${library}/src/${file.replace(/\.ts$/, '.js')}`)
      // Assigning a variable for a native library is not reading.
      .filter((file) => /process\.env(?!\.\w+ = )|node:process|from 'process'/.test(built(file))),
  );
  expect(readers).toEqual([]);
});

test('the imports of the service are still there after build and test dependencies are pruned', () => {
  const { name, dependencies } = JSON.parse(built('package.json')) as {
    name: string;
    dependencies: Record<string, string>;
  };
  const imported = ['apps', 'libs', 'migrations']
    .flatMap((folder) =>
      readdirSync(join(CHECKOUT, 'dist', folder), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.js'))
        .flatMap((file) => importsOf(join('dist', folder, file))),
    )
    .filter((specifier) => !/^(node:|#|\.)/.test(specifier))
    .map(packageOf);
  expect(imported.length).toBeGreaterThan(100);
  expect([...new Set(imported)].filter((each) => each !== name && !(each in dependencies))).toEqual([]);
});

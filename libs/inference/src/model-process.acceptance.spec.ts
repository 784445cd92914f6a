import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { editJson } from '../../../test/support/artifacts.js';
import { turnsUntil } from '../../../test/support/event-loop.js';
import { createFolderForThisTest } from '../../../test/support/folders.js';
import { ArtifactError } from './artifact.js';
import { Model, TimeLimitExceeded } from './model.js';
import { ModelEnded, ModelProcess } from './model-process.js';

/** A model that takes as many iterations and megabytes as a row asks for; see `make_insatiable.py` beside it. */
const INSATIABLE = 'test/support/foreign-models/insatiable';
const CYCLIC = 'test/support/foreign-models/cyclic';
const HEART_FAILURE = 'model-artifacts/heart-failure/1';
const ENDLESS = 1e18;
const MIB = 1024 ** 2;

const run = promisify(execFile);
const isLinux = process.platform === 'linux';

/** Our processes that hold a model. */
async function modelProcesses(parent = process.pid): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s.*model-process-entry/.exec(line))
    .flatMap((found) => (found && Number(found[2]) === parent ? [Number(found[1])] : []));
}

let held: { release(): Promise<void> }[] = [];

/** Released when the test is over. */
function hold<T extends { release(): Promise<void> }>(model: T): T {
  held.push(model);
  return model;
}

afterEach(async () => {
  await Promise.all(held.map((each) => each.release()));
  held = [];
  const left = await modelProcesses();
  if (left.length > 0) throw new Error(`Left running: ${left.join(', ')}`);
});

describe('a candidate', () => {
  let folder: string;

  beforeEach(async () => {
    folder = createFolderForThisTest();
    await cp(INSATIABLE, folder, { recursive: true });
  });

  const manifestWith = (changes: object) =>
    editJson(join(folder, 'manifest.json'), (manifest) => ({ ...manifest, ...changes }));

  const withGolden = (input: object) =>
    writeFile(
      join(folder, 'golden.json'),
      JSON.stringify({ tolerance: 1, cases: [{ input, output: { prediction: 0 } }] }),
    );

  test('that never ends is refused at its time limit, and the event loop stays responsive', async () => {
    await withGolden({ turns: ENDLESS, megabytes: 0 });
    const loading = Model.load(folder, { checkTimeoutMs: 3_000 });
    expect(await turnsUntil(loading)).toBeGreaterThan(1_000);
    await expect(loading).rejects.toThrow(ArtifactError);
    await expect(loading).rejects.toThrow(
      `The model artifact in ${folder} cannot be used: it was not loaded and checked within 3 s`,
    );
  });

  test('that takes 100 GB is refused at its memory limit, and our own memory does not grow', async () => {
    await withGolden({ turns: 0, megabytes: 100_000 });
    const before = process.memoryUsage.rss();
    await expect(Model.load(folder, { maxMemoryBytes: 512 * MIB })).rejects.toThrow(
      /cannot be used: it took more than 512 MiB of memory|bad allocation|bad_alloc/,
    );
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 * MIB);
  });

  test('whose files are larger than any artifact’s is refused before they are read', async () => {
    for (const [file, most] of [
      ['manifest.json', 1],
      ['input_schema.json', 16],
      ['golden.json', 32],
    ] as const) {
      const copy = createFolderForThisTest();
      await cp(INSATIABLE, copy, { recursive: true });
      await writeFile(join(copy, file), Buffer.alloc(200 * MIB, ' '));
      await expect(Model.load(copy)).rejects.toThrow(
        `${file} has ${200 * MIB} bytes, more than the ${most * MIB} that it may have`,
      );
    }
  });

  test.each<[string, string, unknown, RegExp]>([
    [
      'ten thousand and one columns',
      'input_schema.json',
      {
        input_schema: {
          columns: Array.from({ length: 10_001 }, (_, i) => ({ name: `c${i}`, type: 'numeric' })),
        },
      },
      /input_schema\.columns: Too big: expected array to have <=10000 items/,
    ],
    [
      'ten thousand and one golden cases',
      'golden.json',
      {
        tolerance: 1,
        cases: Array.from({ length: 10_001 }, () => ({
          input: { turns: 0, megabytes: 0 },
          output: { prediction: 0 },
        })),
      },
      /cases: Too big: expected array to have <=10000 items/,
    ],
  ])('with %s is refused', async (_, file, content, reason) => {
    await writeFile(join(folder, file), JSON.stringify(content));
    await expect(Model.load(folder)).rejects.toThrow(reason);
  });

  test('is refused in at most 2 kB, whatever the reason quotes', async () => {
    for (const changes of [
      Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`unknown-ü-${index}`, 1])),
      { name: 'ü'.repeat(100_000) },
      { task: 'x'.repeat(500_000) },
    ]) {
      await cp(INSATIABLE, folder, { recursive: true });
      await manifestWith(changes);
      const error = (await Model.load(folder).catch((error: unknown) => error)) as ArtifactError;
      expect(error).toBeInstanceOf(ArtifactError);
      expect(Buffer.byteLength(error.detail)).toBeLessThanOrEqual(2_000);
      expect(error.detail).toMatch(/^manifest\.json is invalid: /);
    }
  });

  test.each<[string, object, string]>([
    ['NUL in a text', { description: 'a\0b' }, 'description: has a NUL character in it'],
    [
      'half of a surrogate pair',
      { parameters: { of: ['\ud800'] } },
      'parameters.of.0: has half of a surrogate pair',
    ],
    ['NUL in a key', { search: { 'a\0': 1 } }, 'search: the name of a member has a NUL character in it'],
  ])('with %s in its manifest is refused, and the field is named', async (_, changes, reason) => {
    await manifestWith(changes);
    await expect(Model.load(folder)).rejects.toThrow(`manifest.json is invalid: ${reason}`);
  });

  test('with such a text in its schema is refused as well', async () => {
    const columns = [
      { name: 'turns', type: 'numeric' },
      { name: 'megabytes', type: 'numeric', description: '\udfff' },
    ];
    await writeFile(join(folder, 'input_schema.json'), JSON.stringify({ input_schema: { columns } }));
    await expect(Model.load(folder)).rejects.toThrow(
      'input_schema.json is invalid: input_schema.columns.1.description: has half of a surrogate pair',
    );
  });

  test('ends when its caller aborts, with the caller’s reason', async () => {
    await withGolden({ turns: ENDLESS, megabytes: 0 });
    const controller = new AbortController();
    const loading = Model.load(folder, { signal: controller.signal });
    await expect.poll(modelProcesses).toHaveLength(1);
    controller.abort(new Error('we are stopping'));
    await expect(loading).rejects.toThrow(/^we are stopping$/);
    await expect(Model.load(folder, { signal: controller.signal })).rejects.toThrow(/^we are stopping$/);
  });

  test('ends with its parent, even if that is killed in the middle of the candidate’s run', async () => {
    await withGolden({ turns: ENDLESS, megabytes: 0 });
    const module = pathToFileURL('dist/libs/inference/src/index.js').href;
    const program = `import(${JSON.stringify(module)}).then(({ Model }) => Model.load(${JSON.stringify(folder)}))`;
    const parent = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
    await expect.poll(() => modelProcesses(parent.pid)).toHaveLength(1);
    const [pid] = await modelProcesses(parent.pid);
    // Wait until it is in the run: only its processor time shows that.
    await expect
      .poll(async () => (await run('ps', ['-o', 'time=', '-p', `${pid}`])).stdout)
      .toMatch(/0:0[1-9]/);
    parent.kill('SIGKILL');
    await expect.poll(() => run('ps', ['-p', `${pid}`]).catch(() => 'gone')).toBe('gone');
  });
});

describe('a model that serves', () => {
  test.each([INSATIABLE, CYCLIC])(
    '%s is quick but still runs in a process, because a row could make it endless',
    async (folder) => {
      const model = hold(await Model.load(folder));
      expect(model.place).toBe('own process');
    },
  );

  test('and never finishes a row is ended at its time limit; its callers get the reason', async () => {
    const model = await Model.load(INSATIABLE, { timeLimitMs: 500 });
    expect(await model.infer([[1000, 0]])).toEqual([{ value: 0 }]);
    await expect(model.infer([[ENDLESS, 0]])).rejects.toThrow(TimeLimitExceeded);
    expect(model.hasEnded).toBe(false);
    await expect.poll(() => model.hasEnded).toBe(true);
    await expect(model.infer([[0, 0]])).rejects.toThrow(ModelEnded);
    await expect(model.infer([[0, 0]])).rejects.toThrow('it did not finish a run within 10 s');
    await model.release();
  });

  test('and exceeds its memory limit is ended, and all waiting callers get the reason', async () => {
    const model = await Model.load(INSATIABLE, { maxMemoryBytes: 512 * MIB });
    const calls = [model.infer([[0, 100_000]]), model.infer([[0, 0]])];
    for (const call of calls) {
      await expect(call).rejects.toThrow(ModelEnded);
      await expect(call).rejects.toThrow('it took more than 512 MiB of memory');
    }
    await model.release();
  });

  test('and is ended from outside reports it', async () => {
    const model = await Model.load(HEART_FAILURE, { place: 'own process' });
    const [pid] = await modelProcesses();
    process.kill(pid!, 'SIGKILL');
    await expect.poll(() => model.hasEnded).toBe(true);
    const { row } = model.coerce(Object.fromEntries(model.columns.map(({ name }) => [name, 1])));
    await expect(model.infer([row])).rejects.toThrow(/^its process ended with SIGKILL, perhaps because/);
    await model.release();
  });

  test('ignores both Ctrl+C and a process manager: its parent ends it', async () => {
    const model = hold(await Model.load(HEART_FAILURE, { place: 'own process' }));
    const [pid] = await modelProcesses();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid!, signal);
    const { row } = model.coerce(Object.fromEntries(model.columns.map(({ name }) => [name, 1])));
    await expect(model.infer([row])).resolves.toHaveLength(1);
  });

  test.runIf(isLinux)(
    'knows none of our variables, and is the first to be killed if memory runs short',
    async () => {
      hold(await ModelProcess.open(HEART_FAILURE));
      const [pid] = await modelProcesses();
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      const names = environment.map((each) => each.split('=')[0]).filter((name) => name !== '');
      expect(names.toSorted()).toEqual([
        'NODE_CHANNEL_FD',
        'NODE_CHANNEL_SERIALIZATION_MODE',
        'ORT_DISABLE_TELEMETRY',
      ]);
      expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
    },
  );

  test.each([undefined, 'own process'])(
    'placed in %s does not keep its caller’s process from ending',
    async (place) => {
      const module = pathToFileURL('dist/libs/inference/src/index.js').href;
      const program = `import(${JSON.stringify(module)})
      .then(({ Model }) => Model.load(${JSON.stringify(HEART_FAILURE)}, { place: ${JSON.stringify(place)} }))
      .then(async (model) => {
        const row = model.columns.map(() => 0);
        const answers = await Promise.all([model.infer([row]), model.infer(Array(2500).fill(row)), model.infer([])]);
        console.log(model.place, ...answers.map(({ length }) => length));
      })`;
      // Far less than the time limit of its calls.
      const { stdout } = await run(process.execPath, ['-e', program], { timeout: 15_000 });
      expect(stdout).toBe(`${place ?? 'event loop'} 1 2500 0\n`);
    },
  );
});

import { expect, onTestFinished, test, vi } from 'vitest';
import { CHECKER, ModelProcess, readArtifact } from '#libs/inference';
import { ModelPool } from './model-pool.js';
import type { StoredArtifact } from './artifacts/stored-artifact.js';

const FOLDER = 'model-artifacts/iris/1';
const { contentSha256, golden } = await readArtifact(FOLDER);
const IRIS: StoredArtifact = { name: 'iris', version: '1', contentSha256 };

/** @param folders the folder for each load, one after another */
function poolOver(...folders: string[]) {
  const loads: StoredArtifact[] = [];
  const pool = new ModelPool(async (artifact) => folders[loads.push(artifact) - 1]!, {});
  return { pool, loads };
}

test('a model taken twice is loaded once, and is released when both have given it back', async () => {
  const { pool, loads } = poolOver(FOLDER);
  const [one, other] = await Promise.all([pool.take(IRIS), pool.take(IRIS)]);
  expect(loads).toHaveLength(1);
  expect(one!.model).toBe(other!.model);

  const { model } = one!;
  const { row } = model.coerce(golden.cases[0]!.input);
  await one!.giveBack();
  await expect(model.infer([row])).resolves.toHaveLength(1);
  const asked = model.infer([row]);
  await other!.giveBack();
  await expect(asked, 'what was asked before is answered').resolves.toHaveLength(1);
  await expect(model.infer([row])).rejects.toThrow('released');
});

test('a model taken again after its release is loaded again', async () => {
  const { pool, loads } = poolOver(FOLDER, FOLDER);
  const first = await pool.take(IRIS);
  const givenBack = first.giveBack();
  const second = await pool.take(IRIS);
  await givenBack;
  expect(loads).toHaveLength(2);
  expect(second.model).not.toBe(first.model);
  await second.giveBack();
});

test('a different place is a different model', async () => {
  const { pool, loads } = poolOver(FOLDER, FOLDER);
  const [here, there] = await Promise.all([pool.take(IRIS), pool.take(IRIS, 'own process')]);
  expect(loads).toHaveLength(2);
  expect(there!.model.place).toBe('own process');
  const { row } = there!.model.coerce(golden.cases[0]!.input);
  await expect(there!.model.infer([row])).resolves.toHaveLength(1);
  await Promise.all([here!.giveBack(), there!.giveBack()]);
});

test('a failed load fails for everyone who waits for it, and holds nothing', async () => {
  const { pool, loads } = poolOver('nowhere', FOLDER);
  const failed = await Promise.allSettled([pool.take(IRIS), pool.take(IRIS)]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const held = await pool.take(IRIS);
  expect(loads).toHaveLength(2);
  await held.giveBack();
});

test('a model whose process has ended is loaded again, even if others still hold it', async () => {
  const { pool, loads } = poolOver(FOLDER, FOLDER);
  const first = await pool.take(IRIS, 'own process');
  expect(first.model.hasEnded).toBe(false);
  await first.model.end();
  expect(first.model.hasEnded).toBe(true);
  const second = await pool.take(IRIS, 'own process');
  expect(loads).toHaveLength(2);
  const { row } = second.model.coerce(golden.cases[0]!.input);
  await first.giveBack();
  await expect(second.model.infer([row])).resolves.toHaveLength(1);
  await second.giveBack();
});

test('a model whose files differ from the registered ones is refused', async () => {
  const { pool } = poolOver(FOLDER);
  const other = { ...IRIS, contentSha256: 'f'.repeat(64) };
  await expect(pool.take(other)).rejects.toThrow(`expected ${'f'.repeat(64)}, found ${contentSha256}`);
});

test('a model known to be quick starts without a process; others found to be quick are reported', async () => {
  const opened = vi.spyOn(ModelProcess, 'open');
  onTestFinished(() => opened.mockRestore());
  const found: StoredArtifact[] = [];
  const pool = new ModelPool(async () => FOLDER, {
    onQuick: (artifact) => found.push(artifact),
  });
  pool.isStarting = true;
  const take = async (checkedBy: string | null) => {
    opened.mockClear();
    const { model, giveBack } = await pool.take({ ...IRIS, checkedBy });
    const { row } = model.coerce(golden.cases[0]!.input);
    const [prediction] = await model.infer([row]);
    expect(prediction).toMatchObject({ probabilities: expect.any(Array) });
    await giveBack();
    return opened.mock.calls.length;
  };
  expect(await take('Foretell of another release')).toBe(1);
  expect(await take(null)).toBe(1);
  expect(found).toEqual([IRIS, IRIS].map((artifact) => expect.objectContaining(artifact)));
  expect(await take(CHECKER)).toBe(0);
  pool.isStarting = false;
  expect(await take(CHECKER)).toBe(1);
  expect(found).toHaveLength(2);
});

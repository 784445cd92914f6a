import { expect, test } from 'vitest';
import { readArtifact } from '#libs/inference';
import { ModelPool } from './model-pool.js';
import type { StoredArtifact } from './artifacts/stored-artifact.js';

const FOLDER = 'model-artifacts/iris/1';
const { contentSha256, golden } = await readArtifact(FOLDER);
const IRIS: StoredArtifact = { name: 'iris', version: '1', contentSha256 };

/** @param folders what it is told, one load after another */
function poolOver(...folders: string[]) {
  const loads: StoredArtifact[] = [];
  const pool = new ModelPool(async (artifact) => folders[loads.push(artifact) - 1]!, {});
  return { pool, loads };
}

test('taken twice it is loaded once, and it is released when both have given it back', async () => {
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

test('taken again after it was released it is loaded anew', async () => {
  const { pool, loads } = poolOver(FOLDER, FOLDER);
  const first = await pool.take(IRIS);
  const givenBack = first.giveBack();
  const second = await pool.take(IRIS);
  await givenBack;
  expect(loads).toHaveLength(2);
  expect(second.model).not.toBe(first.model);
  await second.giveBack();
});

test('another place is another model', async () => {
  const { pool, loads } = poolOver(FOLDER, FOLDER);
  const [here, there] = await Promise.all([pool.take(IRIS), pool.take(IRIS, 'own process')]);
  expect(loads).toHaveLength(2);
  expect(there!.model.place).toBe('own process');
  const { row } = there!.model.coerce(golden.cases[0]!.input);
  await expect(there!.model.infer([row])).resolves.toHaveLength(1);
  await Promise.all([here!.giveBack(), there!.giveBack()]);
});

test('a load that fails fails for all who wait for it, and holds nothing', async () => {
  const { pool, loads } = poolOver('nowhere', FOLDER);
  const failed = await Promise.allSettled([pool.take(IRIS), pool.take(IRIS)]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const held = await pool.take(IRIS);
  expect(loads).toHaveLength(2);
  await held.giveBack();
});

test('one whose process has ended is loaded anew, though others still hold it', async () => {
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

test('one whose files are not those that were registered is refused', async () => {
  const { pool } = poolOver(FOLDER);
  const other = { ...IRIS, contentSha256: 'f'.repeat(64) };
  await expect(pool.take(other)).rejects.toThrow(`expected ${'f'.repeat(64)}, found ${contentSha256}`);
});

import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What is to be another than in the artifact it is made from; all of it fits together all the same. */
export interface Changes {
  name?: string;
  version?: string;
  /** Makes another content that answers the same. */
  description?: string;
  /** Changes to the manifest; undefined takes a member away. */
  manifest?: Record<string, unknown>;
  /** The manifest's sha256 follows, where it does not say another. */
  graph?: (graph: Buffer) => Buffer;
}

export const IRIS = 'model-artifacts/iris/1';
/** Version 2, which answers 0.5248858 for the tutorial's patient. */
export const HEART_FAILURE_2 = 'test/support/foreign-models/heart-failure-2';
/** What skl2onnx makes when it is told nothing. */
export const FOREIGN = 'test/support/foreign-models/int64-labels';

/** Copies an artifact to `folder`, which is replaced, and changes it. */
export async function makeArtifact(
  folder: string,
  { graph, manifest, ...described }: Changes = {},
  from = IRIS,
): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(from, folder, { recursive: true });
  const model = join(folder, 'model.onnx');
  if (graph) await writeFile(model, graph(await readFile(model)));
  const sha256 = createHash('sha256')
    .update(await readFile(model))
    .digest('hex');
  await editJson(join(folder, 'manifest.json'), (found) => ({ ...found, ...described, sha256, ...manifest }));
  return folder;
}

export async function editJson(
  path: string,
  // oxlint-disable-next-line typescript/no-explicit-any -- tests know what they edit
  edit: (content: any) => unknown,
): Promise<void> {
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))));
}

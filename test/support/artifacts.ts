import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The changes to the artifact it is made from; the result is still consistent. */
export interface Changes {
  name?: string;
  version?: string;
  /** Changes the content, but not the answers. */
  description?: string;
  /** Changes to the manifest; undefined removes a member. */
  manifest?: Record<string, unknown>;
  /** The manifest's sha256 follows, unless it is set explicitly. */
  graph?: (graph: Buffer) => Buffer;
}

export const IRIS = 'model-artifacts/iris/1';
/** Version 2, which answers 0.5248858 for the tutorial's patient. */
export const HEART_FAILURE_2 = 'test/support/foreign-models/heart-failure-2';
/** A model from skl2onnx with its default settings. */
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

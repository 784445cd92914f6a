import { join } from 'node:path';
import { readArtifact } from '#libs/inference';
import type { ArtifactStore, StoredArtifact } from '../../libs/models/src/artifacts/stored-artifact.js';
import { IRIS, makeArtifact } from './artifacts.js';

export async function put(store: ArtifactStore, folder: string, artifact: StoredArtifact): Promise<void> {
  const prepared = await store.prepare(folder, artifact);
  await prepared.keep();
}

/** The description that a store gets for the repository's iris, or for another folder as that version. */
export async function storedIris(folder = IRIS): Promise<StoredArtifact> {
  return { name: 'iris', version: '1', contentSha256: (await readArtifact(folder)).contentSha256 };
}

/** The same name and version with another description. */
export async function otherIris(folder: string): Promise<{ source: string; artifact: StoredArtifact }> {
  const source = await makeArtifact(join(folder, 'other'), { description: 'another' });
  return { source, artifact: await storedIris(source) };
}

import type { Config } from '#libs/config';
import { FolderStore } from './folder-store.js';
import type { ArtifactStore } from './stored-artifact.js';

export type { ArtifactStore, StoredArtifact } from './stored-artifact.js';

/** In MODEL_DIR, or in a bucket for replicas that share no disk. */
export function createArtifactStore(config: Config): ArtifactStore {
  return new FolderStore(config.modelDir);
}

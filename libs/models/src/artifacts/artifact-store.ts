import { join } from 'node:path';
import type { Config } from '#libs/config';
import { BucketStore } from './bucket-store.js';
import { FolderStore } from './folder-store.js';
import type { ArtifactStore } from './stored-artifact.js';

export type { ArtifactStore, StoredArtifact } from './stored-artifact.js';

/** In MODEL_DIR, or in a bucket for replicas that share no disk. */
export function createArtifactStore(config: Config): ArtifactStore {
  const { modelStore, modelStoreEndpoint, modelDir, dataDir } = config;
  if (modelStore === undefined) return new FolderStore(modelDir);
  return new BucketStore({
    url: modelStore,
    endpoint: modelStoreEndpoint,
    cacheDir: join(dataDir, 'model-cache'),
  });
}

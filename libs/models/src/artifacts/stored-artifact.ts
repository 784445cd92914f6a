import { Problem } from '#libs/errors';
import type { ScratchFolders } from './scratch-folders.js';

/** One version of a model, by the content that was registered. */
export interface StoredArtifact {
  name: string;
  version: string;
  /** As `hashArtifact` computes it. */
  contentSha256: string;
}

export function keyOf({ name, version }: Pick<StoredArtifact, 'name' | 'version'>): string {
  return `${name}/${version}`;
}

/** Files that are stored and have no name yet: they are in no one's way. Call one of the two methods, once. */
export interface PreparedArtifact {
  /**
   * Gives them the name and version.
   * @throws Problem `model-version-exists` if other content is kept under it
   */
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** Injection token of the process's `ArtifactStore`. */
export const ARTIFACT_STORE = Symbol('ArtifactStore');

/** Where the files of artifacts are kept. What is kept under a name and version never changes. */
export interface ArtifactStore {
  /**
   * Stores the files of a checked artifact. Doing it again with the same content changes nothing.
   * @throws Problem `model-version-exists` if other content is kept under this name and version, `storage-full`
   */
  prepare(folder: string, artifact: StoredArtifact): Promise<PreparedArtifact>;
  /**
   * A folder on this machine that holds exactly this content.
   * @throws Error that says what is missing, or what was expected and what was found
   */
  folderOf(artifact: StoredArtifact): Promise<string>;
  /** Where incoming files are put until they are checked. */
  readonly scratch: ScratchFolders;
  /** Where it is, for people; without secrets. */
  readonly description: string;
}

/** Nothing is left to be done. */
export const ALREADY_KEPT: PreparedArtifact = { keep: async () => undefined, discard: async () => undefined };

export function versionExists({ name, version }: StoredArtifact, cause?: Error): Problem {
  const detail = `Version ${version} of the model ${name} already exists with different content.`;
  return new Problem('model-version-exists', detail, { cause });
}

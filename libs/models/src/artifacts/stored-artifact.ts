import { Problem } from '#libs/errors';

/** One version of a model, by the content that was registered. */
export interface StoredArtifact {
  name: string;
  version: string;
  /** As `readArtifact` computes it. */
  contentSha256: string;
}

/** Injection token of the process's `ArtifactStore`. */
export const ARTIFACT_STORE = Symbol('ArtifactStore');

/** Where the files of artifacts are kept. What is kept under a name and version never changes. */
export interface ArtifactStore {
  /**
   * Keeps the files of a checked artifact. Doing it again with the same content changes nothing.
   * @throws Problem `model-version-exists` where other content is kept under this name and version
   */
  put(folder: string, artifact: StoredArtifact): Promise<void>;
  /**
   * A folder on this machine that holds exactly this content.
   * @throws Error that says what is missing, or what was expected and what was found
   */
  folderOf(artifact: StoredArtifact): Promise<string>;
  /** Where it is, for people; without secrets. */
  readonly description: string;
}

export function versionExists({ name, version }: StoredArtifact, cause?: Error): Problem {
  const detail = `Version ${version} of the model ${name} exists already, with other content.`;
  return new Problem('model-version-exists', detail, { cause });
}

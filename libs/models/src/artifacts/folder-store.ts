import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDiskFull } from '#libs/durable-files';
import { ARTIFACT_FILES, ArtifactError } from '#libs/inference';
import { ScratchFolders } from './scratch-folders.js';
import {
  ALREADY_KEPT,
  versionExists,
  type ArtifactStore,
  type PreparedArtifact,
  type StoredArtifact,
} from './stored-artifact.js';
import { checkContent, isEmptyFolder, makeDraft } from './whole-folder.js';

/** `MODEL_DIR/<name>/<version>/`; names that begin with a dot are not models. */
export class FolderStore implements ArtifactStore {
  readonly scratch: ScratchFolders;

  constructor(readonly description: string) {
    this.scratch = new ScratchFolders(description, 'MODEL_DIR');
  }

  async prepare(folder: string, artifact: StoredArtifact): Promise<PreparedArtifact> {
    if (await this.isKept(artifact)) return ALREADY_KEPT;
    const draft = await makeDraft(this.description, this.scratch, async (draft) => {
      await copyArtifact(folder, draft);
      await checkContent(draft, artifact, folder);
    });
    return {
      discard: draft.discard,
      keep: async () => {
        // Another process was faster: with the same content or with different content.
        if (!(await draft.keepAs(this.locate(artifact)))) await this.isKept(artifact);
      },
    };
  }

  async folderOf(artifact: StoredArtifact): Promise<string> {
    const folder = this.locate(artifact);
    if (await isEmptyFolder(folder)) throw new ArtifactError(folder, 'it is missing on this machine');
    await checkContent(folder, artifact);
    return folder;
  }

  /** Every version that is here, whatever it contains; by name, numbers as numbers: 2 before 10. */
  async list(): Promise<{ name: string; version: string; folder: string }[]> {
    const found = [];
    for (const name of await foldersIn(this.description)) {
      for (const version of await foldersIn(join(this.description, name))) {
        found.push({ name, version, folder: join(this.description, name, version) });
      }
    }
    return found;
  }

  private locate({ name, version }: StoredArtifact): string {
    return join(this.description, name, version);
  }

  /** @throws Problem if other or unusable content is kept under this name and version */
  private async isKept(artifact: StoredArtifact): Promise<boolean> {
    const folder = this.locate(artifact);
    if (await isEmptyFolder(folder)) return false;
    await checkContent(folder, artifact).catch((cause) => {
      throw cause instanceof ArtifactError ? versionExists(artifact, cause) : cause;
    });
    return true;
  }
}

async function copyArtifact(from: string, to: string): Promise<void> {
  for (const file of ARTIFACT_FILES) {
    await copyFile(join(from, file), join(to, file)).catch((cause: NodeJS.ErrnoException) => {
      // Some files may be missing; missing required ones are noticed when the copy is checked.
      if (cause.code === 'ENOENT') return;
      if (isDiskFull(cause)) throw cause;
      throw new ArtifactError(from, `${file} cannot be read (${cause.code})`, { cause });
    });
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

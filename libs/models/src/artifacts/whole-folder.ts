import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nameDraft, sync } from '#libs/durable-files';
import { ArtifactError, hashArtifact } from '#libs/inference';
import type { ScratchFolders } from './scratch-folders.js';
import type { StoredArtifact } from './stored-artifact.js';

const ADVICE = 'A version never changes: put its files back, and give new content a version of its own';

/**
 * @param shownAs the name of the folder in messages, if it is a draft that will be gone when they are read
 * @throws ArtifactError if the folder does not hold exactly what was registered
 */
export async function checkContent(
  folder: string,
  artifact: StoredArtifact,
  shownAs = folder,
): Promise<void> {
  const found = await hashArtifact(folder).catch((error: Error) => {
    if (!(error instanceof ArtifactError)) throw error;
    throw new ArtifactError(shownAs, `${error.detail}. ${ADVICE}`, { cause: error });
  });
  if (found !== artifact.contentSha256) throw otherContent(shownAs, artifact, found);
}

export function otherContent(place: string, { contentSha256 }: StoredArtifact, found: string): ArtifactError {
  const detail = `its content is not what was registered: expected ${contentSha256}, found ${found}`;
  return new ArtifactError(place, `${detail}. ${ADVICE}`);
}

/** False also if there is nothing at all. */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return entries.length === 0;
}

/** A folder that is filled, durably, and has no name of its own yet. */
export async function makeDraft(
  root: string,
  scratch: ScratchFolders,
  fill: (draft: string) => Promise<void>,
) {
  const draft = await scratch.make();
  const discard = () => rm(draft, { recursive: true, force: true });
  try {
    await scratch.writing(async () => {
      await fill(draft);
      for (const file of await readdir(draft)) {
        await chmod(join(draft, file), 0o644);
        await sync(join(draft, file));
      }
      await chmod(draft, 0o755);
      await sync(draft);
    });
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    discard,
    /**
     * Renames it, durably: every reader sees all of it or nothing, even after a power failure.
     * @returns whether it did: not if `target` already has files, which are left alone
     */
    keepAs: async (target: string) => {
      try {
        return await scratch.writing(async () => {
          await mkdir(dirname(target), { recursive: true });
          if (!(await renamed(draft, target))) return false;
          await sync(root);
          return true;
        });
      } finally {
        await discard();
      }
    },
  };
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await nameDraft(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

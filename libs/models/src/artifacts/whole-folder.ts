import { chmod, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArtifactError, readArtifact } from '#libs/inference';
import type { StoredArtifact } from './stored-artifact.js';

const ADVICE = 'A version never changes: put its files back, and give new content a version of its own';

/**
 * @param shownAs what people know the folder by, where it is a draft that will be gone when they read of it
 * @throws ArtifactError where the folder does not hold exactly what was registered
 */
export async function checkContent(
  folder: string,
  artifact: StoredArtifact,
  shownAs = folder,
): Promise<void> {
  const { contentSha256 } = await readArtifact(folder).catch((error: Error) => {
    if (!(error instanceof ArtifactError)) throw error;
    throw new ArtifactError(shownAs, `${error.detail}. ${ADVICE}`, { cause: error });
  });
  if (contentSha256 === artifact.contentSha256) return;
  throw otherContent(shownAs, artifact, contentSha256);
}

export function otherContent(place: string, { contentSha256 }: StoredArtifact, found: string): ArtifactError {
  const detail = `it has other content than what was registered: expected ${contentSha256}, found ${found}`;
  return new ArtifactError(place, `${detail}. ${ADVICE}`);
}

/** False also where there is nothing at all. */
export async function isEmptyFolder(folder: string): Promise<boolean> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  return entries.length === 0;
}

/**
 * Has a new folder filled under a temporary name below `root` and renames it to `target`, durably: whoever looks,
 * and whenever the power fails, there is all of it or nothing. What a killed process leaves behind begins with a dot.
 *
 * Answers whether it did: not where `target` holds files already, which are left alone.
 * @param setting the variable behind `root`, for the sentence that says it cannot be written
 */
export async function makeWholeFolder(
  { root, setting, target }: { root: string; setting: string; target: string },
  fill: (draft: string) => Promise<void>,
): Promise<boolean> {
  let draft: string | undefined;
  try {
    await mkdir(root, { recursive: true });
    draft = await mkdtemp(join(root, '.incoming-'));
    await fill(draft);
    for (const file of await readdir(draft)) {
      await chmod(join(draft, file), 0o644);
      await sync(join(draft, file));
    }
    await chmod(draft, 0o755);
    await sync(draft);
    await mkdir(dirname(target), { recursive: true });
    await rename(draft, target);
    await sync(dirname(target));
    await sync(root);
    return true;
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === 'rename' && (code === 'ENOTEMPTY' || code === 'EEXIST')) return false;
    if (syscall === undefined) throw error;
    throw new Error(`${setting} (${root}) cannot be written: ${message}`, { cause: error });
  } finally {
    if (draft !== undefined) await rm(draft, { recursive: true, force: true });
  }
}

/** Windows has no handles on folders, and keeps its names without being asked. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r').catch((error) => {
    if (process.platform === 'win32') return undefined;
    throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

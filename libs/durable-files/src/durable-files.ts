import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Gives a draft, which is written and synced, its name. It is on the same disk. */
export async function nameDraft(draft: string, path: string): Promise<void> {
  await rename(draft, path);
  await sync(dirname(path));
}

/** For a folder, this makes the names in it durable. Windows has no handles on folders, and keeps names by itself. */
export async function sync(path: string): Promise<void> {
  const isWindows = process.platform === 'win32';
  const handle = await open(path, isWindows ? 'r+' : 'r').catch((error) => {
    if (isWindows) return undefined;
    throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

/** Whether a full disk is the error or its cause. */
export function isDiskFull(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || (cause instanceof Error && isDiskFull(cause));
}

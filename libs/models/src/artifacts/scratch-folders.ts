import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDiskFull } from '#libs/durable-files';
import { Problem } from '#libs/errors';

/** Its maker may be on another machine, or its process number may belong to another process by now. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

const INCOMING = '.incoming-';
const OWNED = new RegExp(`^\\${INCOMING}(?<pid>\\d+)@(?<host>[^@]*)-[^-]{6}$`);

/**
 * Folders for unfinished work: uploads, drafts, and what is about to be removed. They are below the place where the
 * results are kept, so that these are a rename away; their names begin with a dot, so that they are not models, and
 * say which process owns them, so that the next process recognises what a killed one left.
 */
export class ScratchFolders {
  /** @param setting the variable behind `root`, for the message that it cannot be written */
  constructor(
    private readonly root: string,
    private readonly setting: string,
  ) {}

  /** An empty one. The caller removes it. */
  make(): Promise<string> {
    return this.writing(async () => {
      await mkdir(this.root, { recursive: true });
      return mkdtemp(join(this.root, `${INCOMING}${process.pid}@${encodeURIComponent(hostname())}-`));
    });
  }

  /** Removes what ended processes left, before this one makes any of its own. */
  async sweep(): Promise<void> {
    const names = await readdir(this.root).catch(() => []);
    for (const name of names) {
      if (!name.startsWith(INCOMING)) continue;
      const folder = join(this.root, name);
      if (!(await isAbandoned(name, folder))) continue;
      // If this process may not write there, it belongs to someone else, and is no reason not to start.
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** Adds to a system error which place it is about. */
  async writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code, syscall, message } = error as NodeJS.ErrnoException;
      if (syscall === undefined || code === 'ECONNRESET') throw error;
      if (isDiskFull(error)) {
        throw new Problem('storage-full', `The disk of ${this.setting} is full. Nothing was kept.`, {
          cause: error,
        });
      }
      throw new Error(`${this.setting} (${this.root}) cannot be written: ${message}`, { cause: error });
    }
  }
}

async function isAbandoned(name: string, folder: string): Promise<boolean> {
  const { pid, host } = OWNED.exec(name)?.groups ?? {};
  if (host === encodeURIComponent(hostname())) {
    // Ours is from an earlier process with the same number; in containers they all have the same.
    if (Number(pid) === process.pid || !isAlive(Number(pid))) return true;
  }
  const found = await stat(folder).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

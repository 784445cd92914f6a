import { expect, test as base } from 'vitest';
import { DataDir } from './data-dir.js';

interface Fixtures {
  /** A folder that nothing was ever done in. */
  fresh: DataDir;
  /** A folder with an initialised and migrated database, which saves a test the second that this takes. */
  dataDir: DataDir;
  /** What `dataDir` is a copy of, one for each file of tests; nothing may be started in it. */
  prepared: DataDir;
}

/** `test` with folders of its own; what a test leaves running in them, also one that failed, is ended hard. */
export const test = base.extend<Fixtures>({
  prepared: [
    async ({}, use) => {
      const prepared = DataDir.create();
      const ending = await prepared.foretell(['migrate']);
      expect(ending, ending.stderr).toMatchObject({ code: 0 });
      await use(prepared).finally(() => prepared.dispose());
    },
    { scope: 'file' },
  ],
  fresh: async ({}, use) => {
    const fresh = DataDir.create();
    await use(fresh).finally(() => fresh.dispose());
  },
  dataDir: async ({ prepared }, use) => {
    const copy = await prepared.copy();
    await use(copy).finally(() => copy.dispose());
  },
});

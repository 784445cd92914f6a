import { afterAll } from 'vitest';

const undoing: (() => unknown)[] = [];

/** Cleanup after the last test of the file, in reverse order. */
export function afterThisFile(undo: () => unknown): void {
  undoing.push(undo);
}

afterAll(async () => {
  for (const undo of undoing.splice(0).toReversed()) await undo();
});

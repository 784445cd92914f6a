import { afterAll } from 'vitest';

const undoing: (() => unknown)[] = [];

/** Undone after the last test of the file, what came last first. */
export function afterThisFile(undo: () => unknown): void {
  undoing.push(undo);
}

afterAll(async () => {
  for (const undo of undoing.splice(0).toReversed()) await undo();
});

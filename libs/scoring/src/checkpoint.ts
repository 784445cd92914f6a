import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { isDiskFull } from '#libs/durable-files';
import { NotResumable } from './order.js';
import { partialPath, type FileState } from './output-file.js';
import type { Position } from './record-chunks.js';

/** How far a run has come, with everything before that on the disk. */
export interface Checkpoint {
  /** Which model scores which file into which: another run does not go on from here. */
  run: string;
  next: Position;
  rows: number;
  errors: number;
  unpackedBytes: number;
  output: FileState;
  errorsOutput?: FileState;
}

/** Beside the file that is written, so that both are found together. */
function checkpointPath(output: string): string {
  return `${partialPath(output)}.checkpoint`;
}

export async function saveCheckpoint(output: string, checkpoint: Checkpoint): Promise<void> {
  const path = checkpointPath(output);
  try {
    await writeFile(`${path}.new`, serialize(checkpoint), { flush: true });
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new Error(`The disk is full: the progress of ${output} could not be saved.`, { cause: error });
  }
  await rename(`${path}.new`, path);
}

/** @throws NotResumable if it cannot be read */
export async function loadCheckpoint(output: string): Promise<Checkpoint | undefined> {
  const bytes = await readFile(checkpointPath(output)).catch((error: NodeJS.ErrnoException) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  try {
    return deserialize(bytes) as Checkpoint;
  } catch (cause) {
    throw new NotResumable(
      `${output} cannot be resumed: ${checkpointPath(output)} is damaged. Start again without --resume.`,
      { cause },
    );
  }
}

export async function removeCheckpoint(output: string): Promise<void> {
  for (const path of [checkpointPath(output), `${checkpointPath(output)}.new`]) {
    await rm(path).catch((error: NodeJS.ErrnoException) => {
      if (!isMissing(error)) throw error;
    });
  }
}

function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

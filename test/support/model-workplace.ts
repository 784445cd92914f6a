import { expect } from 'vitest';
import { makeArtifact, type Changes } from './artifacts.js';
import type { DataDir, Ending } from './data-dir.js';
import { createFolder } from './folders.js';
import { createModelDir } from './prepared-service.js';
import { createPreparedDataDir } from './test-data-dir.js';

/** A data dir, a MODEL_DIR and a place for artifacts, for one test or a group of them. */
export class ModelWorkplace {
  readonly modelDir = createModelDir({ own: ['heart-failure'] });

  constructor(readonly dataDir: DataDir) {}

  static async create(): Promise<ModelWorkplace> {
    return new ModelWorkplace(await createPreparedDataDir());
  }

  get environment() {
    return { MODEL_DIR: this.modelDir };
  }

  /** An artifact in a folder of its own. */
  make(changes: Changes, from?: string): Promise<string> {
    return makeArtifact(createFolder(), changes, from);
  }

  /** `foretell models …` */
  run(...args: string[]): Promise<Ending> {
    return this.dataDir.foretell(['models', ...args], { environment: this.environment });
  }
}

/** It must succeed without warnings. @returns its output */
export async function models(place: ModelWorkplace, ...args: string[]): Promise<string> {
  const ending = await place.run(...args);
  expect(ending, ending.stdout + ending.stderr).toMatchObject({ code: 0, stderr: '' });
  return ending.stdout;
}

/** It must fail with a single line that says why. */
export async function refused(place: ModelWorkplace, ...args: string[]): Promise<string> {
  const ending = await place.run(...args);
  expect(ending, ending.stderr).toMatchObject({ code: 1, stdout: '' });
  expect(ending.stderr).toMatch(/^[^\n]+\n$/);
  return ending.stderr;
}

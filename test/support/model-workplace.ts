import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { makeArtifact, type Changes } from './artifacts.js';
import type { DataDir, Ending } from './data-dir.js';
import { createPreparedDataDir } from './test-data-dir.js';

/** A data dir, a MODEL_DIR and a place for artifacts, for one test or a group of them. */
export class ModelWorkplace {
  private readonly folder = mkdtempSync(join(tmpdir(), 'foretell-models-command-'));
  readonly modelDir = join(this.folder, 'models');
  private made = 0;

  constructor(readonly dataDir: DataDir) {
    cpSync('model-artifacts/heart-failure', join(this.modelDir, 'heart-failure'), { recursive: true });
  }

  static async create(): Promise<ModelWorkplace> {
    const place = new ModelWorkplace(await createPreparedDataDir());
    onTestFinished(() => place.dispose());
    return place;
  }

  get environment() {
    return { MODEL_DIR: this.modelDir };
  }

  /** An artifact in a folder of its own. */
  make(changes: Changes, from?: string): Promise<string> {
    return makeArtifact(join(this.folder, `artifact-${++this.made}`), changes, from);
  }

  /** `foretell models …` */
  run(...args: string[]): Promise<Ending> {
    return this.dataDir.foretell(['models', ...args], { environment: this.environment });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** It must succeed, and complain about nothing. Answers what it prints. */
export async function models(place: ModelWorkplace, ...args: string[]): Promise<string> {
  const ending = await place.run(...args);
  expect(ending, ending.stdout + ending.stderr).toMatchObject({ code: 0, stderr: '' });
  return ending.stdout;
}

/** It must fail with one line that says why, and print nothing else. */
export async function refused(place: ModelWorkplace, ...args: string[]): Promise<string> {
  const ending = await place.run(...args);
  expect(ending, ending.stderr).toMatchObject({ code: 1, stdout: '' });
  expect(ending.stderr).toMatch(/^[^\n]+\n$/);
  return ending.stderr;
}

import { rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { ArtifactError, CHECKER, ModelProcess, type Manifest, type ProcessLimits } from '#libs/inference';
import pLimit from 'p-limit';
import { DataSource, type Repository } from 'typeorm';
import type { Origin } from './alias-history.js';
import { unpackArchive } from './artifacts/artifact-archive.js';
import { FolderStore } from './artifacts/folder-store.js';
import {
  ARTIFACT_STORE,
  keyOf,
  type ArtifactStore,
  type StoredArtifact,
} from './artifacts/stored-artifact.js';
import { isStage } from './model-reference.js';
import { ModelVersion } from './model-version.entity.js';

/** How many artifacts are checked at a time; others wait. */
const MAX_CHECKING = 2;

/** A version that is stored, with its files. */
export type Kept = Awaited<ReturnType<VersionIntake['keep']>>;

/**
 * From a folder, an archive or MODEL_DIR to a version with its files and its row.
 *
 * Invariants
 * - what is not registered yet is read and run only in a process of its own, with a limit to its time and memory;
 * - a row has its files, and files without a row are in no one's way.
 */
@Injectable()
export class VersionIntake implements BeforeApplicationShutdown {
  private readonly versions: Repository<ModelVersion>;
  private readonly stopping = new AbortController();
  /** For each process that loads a model. */
  readonly limits: ProcessLimits;
  private readonly checking = pLimit(MAX_CHECKING);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly dataSource: DataSource,
    @Inject(ARTIFACT_STORE) private readonly store: ArtifactStore,
  ) {
    this.versions = dataSource.getRepository(ModelVersion);
    this.limits = {
      checkTimeoutMs: config.modelCheckTimeoutMs,
      maxMemoryBytes: config.modelMemoryBytes,
      signal: this.stopping.signal,
    };
  }

  /** Checks in progress are not waited for. */
  beforeApplicationShutdown(): void {
    this.stopping.abort(Problem.overloaded('The service is stopping. Please try again.'));
  }

  get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  /**
   * Checks an artifact, stores its files and records it; repeating it with the same content changes nothing. Files are
   * stored before the row is written and get their name after it.
   * @param expected the name and version that the model must have, if the caller has already said it
   * @throws Problem `artifact-not-usable`, `model-version-exists`, `storage-full`
   */
  async keep(folder: string, origin: Origin, expected: Expected = {}) {
    const { manifest, contentSha256, loaded } = await this.checking(() =>
      usable(async () => {
        const candidate = await ModelProcess.open(folder, this.limits);
        try {
          const { manifest, contentSha256 } = candidate.described;
          refuseUnexpected(manifest, expected);
          const { name, version } = manifest;
          const registered = await this.versions.findOneBy({ name, version });
          if (registered) refuseOther(registered, contentSha256);
          return { manifest, contentSha256, loaded: registered ? undefined : await candidate.load() };
        } finally {
          await candidate.release();
        }
      }),
    );
    const { name, version } = manifest;
    // Even if it is registered: this machine may not have its files yet.
    const prepared = await this.store.prepare(folder, { name, version, contentSha256 });
    let isNew = false;
    try {
      const checkedBy = loaded?.isQuickToCheck ? CHECKER : null;
      isNew = await this.writeDown(manifest, contentSha256, checkedBy, origin);
      await prepared.keep();
    } catch (error) {
      await prepared.discard();
      if (isNew) await this.versions.delete({ name, version });
      throw error;
    }
    return {
      version: await this.versions.findOneByOrFail({ name, version }),
      /** Whether it was not registered before. */
      isNew,
      /** What could not be checked, one sentence each; none if it was registered before. */
      warnings: loaded?.warnings ?? [],
    };
  }

  /**
   * The same for an archive that is being uploaded: it is unpacked next to where its files would be kept.
   * @throws Problem also `bad-request`, `body-too-large`, `storage-full`; and the upload's own error if it breaks off
   */
  async keepUpload(upload: Readable, origin: Origin, name: string): Promise<Kept> {
    const { scratch } = this.store;
    const folder = await scratch.make();
    try {
      const { maxArtifactBytes: maxBytes } = this.config;
      const artifact = await scratch.writing(() => unpackArchive(upload, folder, { maxBytes }));
      return await this.keep(artifact, origin, { name });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Registers what is in `MODEL_DIR` and is not known yet. Unusable artifacts are reported and left alone.
   * @returns what was wrong with each that could not be registered, and what could not be checked for each that was
   */
  async keepFound(): Promise<{ failures: string[]; warnings: string[] }> {
    const failures: string[] = [];
    const warnings: string[] = [];
    const known = new Set((await this.versions.find({ select: { name: true, version: true } })).map(keyOf));
    for (const found of await new FolderStore(this.config.modelDir).list()) {
      if (known.has(keyOf(found))) continue;
      try {
        const kept = await this.keep(found.folder, { from: 'MODEL_DIR' }, found);
        warnings.push(...kept.warnings.map((warning) => `${found.name} ${found.version}: ${warning}`));
      } catch (error) {
        failures.push(`${found.name} ${found.version} is not registered: ${(error as Error).message}`);
      }
    }
    return { failures, warnings };
  }

  /** Records that this release need not check a version in a process of its own again. */
  async rememberQuick({ name, version }: StoredArtifact): Promise<void> {
    await this.versions.update({ name, version }, { checkedBy: CHECKER });
  }

  /** Removes what killed processes left of uploads and downloads. */
  async sweep(): Promise<void> {
    await this.store.scratch.sweep();
  }

  /** @returns whether it was not registered before. @throws Problem if it was registered with other content */
  private async writeDown(
    manifest: Manifest,
    contentSha256: string,
    checkedBy: string | null,
    origin: Origin,
  ): Promise<boolean> {
    const { name, version, sha256 } = manifest;
    const row = [name, version, sha256, contentSha256, manifest, checkedBy, origin.userId, origin.from];
    try {
      const written = await this.dataSource.query<unknown[]>(
        `INSERT INTO model_versions
           (name, version, sha256, content_sha256, manifest, checked_by, registered_by, registered_from)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING version`,
        row,
      );
      if (written.length > 0) return true;
    } catch (error) {
      // It may be there all the same: perhaps only the answer was lost.
      const standing = await this.versions.findOneBy({ name, version }).catch(() => null);
      if (standing?.contentSha256 === contentSha256) return true;
      throw error;
    }
    refuseOther(await this.versions.findOneByOrFail({ name, version }), contentSha256);
    return false;
  }
}

/** The name and version that the caller gave before the artifact is read. */
type Expected = Partial<Pick<StoredArtifact, 'name' | 'version'>>;

/** Turns what is wrong with an artifact into a refusal. */
export async function usable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    throw new Problem('artifact-not-usable', `The artifact cannot be used: ${error.detail}`, {
      cause: error,
    });
  }
}

/** @throws Problem */
function refuseUnexpected({ name, version }: Manifest, expected: Expected): void {
  if (isStage(version)) {
    throw new Problem('artifact-not-usable', `A version cannot be called ${version}: that is an alias.`);
  }
  if (expected.version !== undefined && `${name}/${version}` !== `${expected.name}/${expected.version}`) {
    throw new Problem(
      'artifact-not-usable',
      `It holds ${name} ${version}: folders are named <model>/<version>.`,
    );
  }
  if (expected.name !== undefined && name !== expected.name) {
    throw new Problem('artifact-not-usable', `The manifest is of a model ${name}, not of ${expected.name}.`);
  }
}

function refuseOther(registered: ModelVersion, contentSha256: string): void {
  const { name, version } = registered;
  if (registered.contentSha256 === contentSha256) return;
  throw new Problem(
    'model-version-exists',
    `${name} ${version} is registered with other content (sha256 ${registered.contentSha256}, this is ` +
      `${contentSha256}). A version never changes: give this one another number.`,
  );
}

import { Inject, Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import { Model, type LoadOptions } from '#libs/inference';
import { DataSource, type Repository } from 'typeorm';
import { AliasHistory, isCurrent } from './alias-history.js';
import { ARTIFACT_STORE, type ArtifactStore, type StoredArtifact } from './artifacts/stored-artifact.js';
import { notThere, type ModelReference } from './model-reference.js';
import { ModelVersion } from './model-version.entity.js';
import { ServingProcesses } from './serving-processes.js';
import { VersionIntake } from './version-intake.js';

/** Everything that is known about one model. */
export type ModelDetails = Awaited<ReturnType<ModelRegistry['list']>>[number];

/** What is registered: the versions of every model, what the aliases stand for, and which version a reference means. */
@Injectable()
export class ModelRegistry {
  private readonly versions: Repository<ModelVersion>;

  constructor(
    dataSource: DataSource,
    private readonly intake: VersionIntake,
    @Inject(ARTIFACT_STORE) private readonly store: ArtifactStore,
    private readonly aliases: AliasHistory,
    private readonly processes: ServingProcesses,
  ) {
    this.versions = dataSource.getRepository(ModelVersion);
  }

  /** Every model, by name. */
  async list() {
    const versions = await this.versions.find();
    const names = [...new Set(versions.map(({ name }) => name))].toSorted();
    const history = await this.aliases.all();
    const processes = await this.processes.alive();
    return names.map((name) => ({
      name,
      /** Newest last. */
      versions: versions.filter((each) => each.name === name).toSorted(byVersion),
      /** The current ones. */
      aliases: history
        .filter((each) => each.name === name && isCurrent(each))
        .toSorted((a, b) => a.alias.localeCompare(b.alias, 'en')),
      /** Newest first, including the current ones. */
      history: history.filter((each) => each.name === name),
      /** Those that serve predictions now. */
      processes,
    }));
  }

  /** @throws Problem `model-not-found` */
  async show(name: string): Promise<ModelDetails> {
    const details = (await this.list()).find((each) => each.name === name);
    if (!details) throw notFound(name);
    return details;
  }

  /** The newest last; none for a model that is not registered. */
  async versionsOf(name: string): Promise<string[]> {
    if (!isStorable(name)) return [];
    const versions = await this.versions.find({ where: { name }, select: { version: true } });
    return versions.toSorted(byVersion).map(({ version }) => version);
  }

  /** @throws Problem `model-not-found` */
  async find(name: string, version: string): Promise<ModelVersion> {
    const found = isStorable(name + version) && (await this.versions.findOneBy({ name, version }));
    if (!found) throw notFound(name, version);
    return found;
  }

  /** The version that a reference means. @throws Problem `model-not-found` */
  async resolve(reference: ModelReference): Promise<ModelVersion> {
    const { name } = reference;
    if ('version' in reference) return this.find(name, reference.version);
    const { aliases } = await this.show(name);
    const { version } = aliases.find(({ alias }) => alias === reference.alias) ?? {};
    if (!version) throw notThere(reference);
    return this.find(name, version);
  }

  /** The versions whose last check failed. */
  failed(): Promise<ModelVersion[]> {
    return this.versions.find({ where: { state: 'failed' }, order: { name: 'ASC', version: 'ASC' } });
  }

  /** @param failure why the check failed; null if it did not */
  async setState(name: string, version: string, failure: string | null): Promise<void> {
    await this.versions.update({ name, version }, { state: failure === null ? 'ready' : 'failed', failure });
  }

  /** Loads a version for the caller's own use. @throws Error */
  async load(version: StoredArtifact, options: Pick<LoadOptions, 'timeLimitMs'>): Promise<Model> {
    return Model.load(await this.folderOf(version), { ...this.intake.limits, ...options });
  }

  /** A folder on this machine with the version's files. */
  folderOf(version: StoredArtifact): Promise<string> {
    return this.store.folderOf(version);
  }
}

/** PostgreSQL has no text with NUL in it, so no name can contain one. */
function isStorable(text: string): boolean {
  return !text.includes('\0');
}

function notFound(name: string, version?: string): Problem {
  if (version !== undefined) return notThere({ name, version });
  return new Problem('model-not-found', `There is no model '${name}'.`);
}

/** Numbers as numbers: 2 before 10. */
function byVersion(a: ModelVersion, b: ModelVersion): number {
  return a.version.localeCompare(b.version, 'en', { numeric: true });
}

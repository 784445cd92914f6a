import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { ArtifactError, Model, readArtifact } from '#libs/inference';
import { DataSource, type Repository } from 'typeorm';
import { AliasHistory, firstIdOf, isCurrent, type Origin, type Wanted } from './alias-history.js';
import { FolderStore } from './artifacts/folder-store.js';
import { ARTIFACT_STORE, type ArtifactStore, type StoredArtifact } from './artifacts/stored-artifact.js';
import type { ModelAlias } from './model-alias.entity.js';
import { CANARY, isStage, PRODUCTION, type ModelReference } from './model-reference.js';
import { ModelVersion } from './model-version.entity.js';
import type { ServingProcess } from './serving-process.entity.js';
import { ServingProcesses } from './serving-processes.js';

export interface Registration {
  version: ModelVersion;
  /** Whether it was not registered before. */
  isNew: boolean;
  /** Of the first version of a model. */
  promotion?: Promotion;
}

export interface Promotion {
  version: string;
  /** What the alias stood for before; null where it stood for nothing. */
  previous: string | null;
  /** How many processes serve it now. */
  followed: number;
  /** Those that do not serve it yet, as `host:pid`. */
  behind: string[];
}

/** All that is known of one model. */
export interface ModelDetails {
  name: string;
  /** Newest last. */
  versions: ModelVersion[];
  /** As they stand now. */
  aliases: ModelAlias[];
  /** Newest first, those that stand now among them. */
  history: ModelAlias[];
  /** The processes that serve predictions now. */
  processes: ServingProcess[];
}

/**
 * The versions of every model and what the aliases stand for, in the database. A version was checked before it is
 * written down, and its content never changes.
 *
 * Invariants
 * - a version is registered only if it loads and reproduces its golden values here, and with all its files stored;
 * - an alias never stands for a version that failed its check, here or in a process that serves: such a promotion is
 *   taken back, and the version's state says why.
 */
@Injectable()
export class ModelRegistry {
  private readonly versions: Repository<ModelVersion>;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DataSource) private readonly dataSource: DataSource,
    @Inject(ARTIFACT_STORE) private readonly store: ArtifactStore,
    @Inject(AliasHistory) private readonly aliases: AliasHistory,
    @Inject(ServingProcesses) private readonly processes: ServingProcesses,
  ) {
    this.versions = dataSource.getRepository(ModelVersion);
  }

  /**
   * Checks the artifact in `folder`, keeps its files and writes it down; with the same content again, nothing changes.
   * The first version of a model goes into production.
   * @param name what the model has to be called, where the caller has said it already
   * @throws Problem `artifact-not-usable`, `model-version-exists`
   */
  async register(folder: string, origin: Origin, name?: string): Promise<Registration> {
    const { version, isNew } = await this.keep(folder, origin, name);
    const { history } = await this.show(version.name);
    const isFirst = !history.some(({ alias }) => alias === PRODUCTION);
    const promotion = isFirst
      ? await this.promote({ name: version.name, alias: PRODUCTION, version: version.version }, origin)
      : undefined;
    return { version, isNew, promotion };
  }

  /**
   * Registers what lies in `MODEL_DIR` and is not known yet. One that is not usable is told and left alone.
   * @returns what was wrong with each that could not be registered
   */
  async registerFound(): Promise<string[]> {
    const failures: string[] = [];
    const known = new Set((await this.versions.find({ select: { name: true, version: true } })).map(keyOf));
    for (const found of await new FolderStore(this.config.modelDir).list()) {
      if (known.has(keyOf(found))) continue;
      await this.keepFound(found).catch((error: Error) =>
        failures.push(`${found.name} ${found.version} is not registered: ${error.message}`),
      );
    }
    return failures;
  }

  /** Puts the newest version of every model that never was in production there. */
  async promoteFirst(origin: Origin): Promise<void> {
    const models = await this.list();
    for (const { name, versions, history } of models) {
      if (history.some(({ alias }) => alias === PRODUCTION)) continue;
      await this.aliases.add({ name, alias: PRODUCTION, version: versions.at(-1)!.version }, origin, null);
    }
  }

  /** Every model, by name. */
  async list(): Promise<ModelDetails[]> {
    const versions = await this.versions.find();
    const names = [...new Set(versions.map(({ name }) => name))].toSorted();
    const history = await this.aliases.all();
    const processes = await this.processes.alive();
    return names.map((name) => ({
      name,
      versions: versions.filter((each) => each.name === name).toSorted(byVersion),
      aliases: history.filter((each) => each.name === name && isCurrent(each)).toSorted(byAlias),
      history: history.filter((each) => each.name === name),
      processes,
    }));
  }

  /** @throws Problem `model-not-found` */
  async show(name: string): Promise<ModelDetails> {
    const details = (await this.list()).find((each) => each.name === name);
    if (!details) throw notFound(name);
    return details;
  }

  /** The newest last; none of a model that is not registered. */
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

  /** The version that is meant. @throws Problem `model-not-found` */
  async resolve(reference: ModelReference): Promise<ModelVersion> {
    const { name } = reference;
    if ('version' in reference) return this.find(name, reference.version);
    const { aliases } = await this.show(name);
    const { version } = aliases.find(({ alias }) => alias === reference.alias) ?? {};
    if (!version)
      throw new Problem('model-not-found', `The model ${name} has no version as ${reference.alias}.`);
    return this.find(name, version);
  }

  /** The versions whose last check failed. */
  failed(): Promise<ModelVersion[]> {
    return this.versions.find({ where: { state: 'failed' }, order: { name: 'ASC', version: 'ASC' } });
  }

  /**
   * Lets an alias stand for a version, once that was checked here, and waits until every process serves it. If one of
   * them cannot, the alias goes back to what it stood for.
   * @throws Problem `bad-request`, `model-not-found`, `artifact-not-usable`
   */
  async promote(wanted: Wanted & { version: string }, origin: Origin): Promise<Promotion> {
    const { name, alias, version } = wanted;
    refuseBadPercent(wanted);
    await this.verify(name, version);
    const { id, previous } = await this.aliases.add(wanted, origin);
    const { followed, behind, failure } = await this.processes.follow({ id, name, alias, version });
    if (failure === undefined) return { version, previous: previous?.version ?? null, followed, behind };

    const before = previous
      ? { version: previous.version, percent: previous.percent, restoredId: firstIdOf(previous) }
      : { version: null };
    await this.aliases.add({ name, alias, ...before }, origin, id);
    await this.setState(name, version, failure);
    throw new Problem('artifact-not-usable', `${name}@${alias} stays what it was. ${failure}`);
  }

  /**
   * Lets an alias stand for what it stood for before; again, for what it stood for before that.
   * @throws Problem `model-not-found` where there is nothing before, `artifact-not-usable`
   */
  async rollback(name: string, alias: string, origin: Origin): Promise<Promotion> {
    const { history } = await this.show(name);
    const steps = history.filter((each) => each.alias === alias);
    const current = steps.find(isCurrent);
    const before = steps.find(
      ({ id, version }) =>
        BigInt(id) < BigInt(firstIdOf(current!)) && version !== null && version !== current!.version,
    );
    if (!before?.version) {
      throw new Problem('model-not-found', `There is nothing that ${name}@${alias} could go back to.`);
    }
    const { version, percent } = before;
    return this.promote({ name, alias, version, percent, restoredId: firstIdOf(before) }, origin);
  }

  /**
   * Takes an alias away, and waits until no process goes by it.
   * @throws Problem `model-not-found` where it stands for nothing
   */
  async remove(name: string, alias: string, origin: Origin): Promise<void> {
    const { aliases } = await this.show(name);
    if (!aliases.some((each) => each.alias === alias && each.version !== null)) {
      throw new Problem('model-not-found', `The model ${name} has no alias ${alias}.`);
    }
    const { id } = await this.aliases.add({ name, alias, version: null }, origin);
    await this.processes.follow({ id, name, alias, version: null });
  }

  /** Loads a version and holds it against its golden values, and writes down what came of it. @throws Problem */
  async verify(name: string, version: string): Promise<void> {
    const found = await this.find(name, version);
    try {
      await usable(async () => check(await this.store.folderOf(found)));
    } catch (error) {
      if (error instanceof Problem) await this.setState(name, version, error.message);
      throw error;
    }
    if (found.state === 'failed') await this.setState(name, version, null);
  }

  /** A folder on this machine with the version's files. */
  folderOf(version: StoredArtifact): Promise<string> {
    return this.store.folderOf(version);
  }

  private async keepFound({
    folder,
    ...found
  }: {
    name: string;
    version: string;
    folder: string;
  }): Promise<void> {
    const { manifest } = await usable(() => readArtifact(folder));
    if (keyOf(manifest) !== keyOf(found)) {
      throw new Error(
        `${folder} holds ${manifest.name} ${manifest.version}: folders are named <model>/<version>`,
      );
    }
    await this.keep(folder, { from: 'MODEL_DIR' });
  }

  private async keep(folder: string, origin: Origin, expectedName?: string) {
    const { manifest, contentSha256 } = await usable(() => readArtifact(folder));
    const { name, version } = manifest;
    if (isStage(version)) {
      throw new Problem('artifact-not-usable', `A version cannot be called ${version}: that is an alias.`);
    }
    if (expectedName !== undefined && name !== expectedName) {
      throw new Problem('artifact-not-usable', `The manifest is of a model ${name}, not of ${expectedName}.`);
    }
    const registered = await this.versions.findOneBy({ name, version });
    if (registered) refuseOther(registered, contentSha256);
    else await usable(() => check(folder));
    // Also where it is registered: this machine may not have its files yet.
    await this.store.put(folder, { name, version, contentSha256 });
    const written = await this.dataSource.query<unknown[]>(
      `INSERT INTO model_versions (name, version, sha256, content_sha256, manifest, registered_by, registered_from)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING version`,
      [name, version, manifest.sha256, contentSha256, manifest, origin.userId, origin.from],
    );
    const standing = await this.find(name, version);
    refuseOther(standing, contentSha256);
    return { version: standing, isNew: written.length > 0 };
  }

  private async setState(name: string, version: string, failure: string | null): Promise<void> {
    await this.versions.update({ name, version }, { state: failure === null ? 'ready' : 'failed', failure });
  }
}

/** Loads, warms, and holds against the golden values. @throws ArtifactError */
async function check(folder: string): Promise<void> {
  await (await Model.load(folder)).release();
}

/** What is wrong with an artifact, as a refusal. */
async function usable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    throw new Problem('artifact-not-usable', `The artifact cannot be used: ${error.detail}`, {
      cause: error,
    });
  }
}

/** A canary without a percentage would answer nobody. */
function refuseBadPercent({ alias, percent }: Wanted): void {
  const hasPercent = percent !== undefined && percent !== null;
  if (hasPercent === (alias === CANARY)) return;
  throw Problem.badRequest('A canary needs a percentage of the users, and no other alias has one.', [
    { detail: 'is for the alias canary, and required there', pointer: '#/percent' },
  ]);
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

/** PostgreSQL has no text with NUL in it, so that nothing can be called so. */
function isStorable(text: string): boolean {
  return !text.includes('\0');
}

function notFound(name: string, version?: string): Problem {
  const which = version === undefined ? `model ${name}` : `version ${version} of the model ${name}`;
  return new Problem('model-not-found', `There is no ${which} here.`);
}

function keyOf({ name, version }: { name: string; version: string }): string {
  return `${name}/${version}`;
}

function byAlias(a: ModelAlias, b: ModelAlias): number {
  return a.alias.localeCompare(b.alias, 'en');
}

/** Numbers as numbers: 2 before 10. */
function byVersion(a: ModelVersion, b: ModelVersion): number {
  return a.version.localeCompare(b.version, 'en', { numeric: true });
}

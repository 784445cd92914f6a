import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import { CHECKER, Model, type LoadOptions } from '#libs/inference';
import { DataSource, type Repository } from 'typeorm';
import { AliasHistory, firstIdOf, isCurrent, type Origin, type Wanted } from './alias-history.js';
import { ARTIFACT_STORE, type ArtifactStore, type StoredArtifact } from './artifacts/stored-artifact.js';
import type { ModelAlias } from './model-alias.entity.js';
import { CANARY, notThere, PRODUCTION, type ModelReference } from './model-reference.js';
import { ModelVersion } from './model-version.entity.js';
import type { ServingProcess } from './serving-process.entity.js';
import { ServingProcesses } from './serving-processes.js';
import { usable, VersionIntake, type Kept } from './version-intake.js';

export interface Registration extends Kept {
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
  /** What became of the canary, where production is another version now and there was one. */
  canary?: SettledCanary;
}

/** A canary beside a new version in production. */
export interface SettledCanary {
  version: string;
  /** Of the users. */
  percent: number;
  /** If not, it goes on answering its users. */
  hasEnded: boolean;
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
 * - whatever is not registered yet is only read in a process of its own, with a limit to its time and memory;
 * - an alias never stands for a version that failed its check, here or in a process that serves: such a promotion is
 *   taken back, and the version's state says why.
 */
@Injectable()
export class ModelRegistry {
  private readonly versions: Repository<ModelVersion>;

  constructor(
    @Inject(DataSource) dataSource: DataSource,
    @Inject(VersionIntake) private readonly intake: VersionIntake,
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
    return this.promoteIfFirst(await this.intake.keep(folder, origin, { name }), origin);
  }

  /** The same for an archive that is on its way. @throws Problem as `VersionIntake.keepUpload` */
  async registerUpload(upload: Readable, origin: Origin, name: string): Promise<Registration> {
    return this.promoteIfFirst(await this.intake.keepUpload(upload, origin, name), origin);
  }

  private async promoteIfFirst(kept: Kept, origin: Origin): Promise<Registration> {
    const { version } = kept;
    const { history } = await this.show(version.name);
    const isFirst = !history.some(({ alias }) => alias === PRODUCTION);
    const promotion = isFirst
      ? await this.promote({ name: version.name, alias: PRODUCTION, version: version.version }, origin)
      : undefined;
    return { ...kept, promotion };
  }

  /** Registers what lies in `MODEL_DIR` and is not known yet. */
  registerFound(): ReturnType<VersionIntake['keepFound']> {
    return this.intake.keepFound();
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
    if (!version) throw notThere(reference);
    return this.find(name, version);
  }

  /** The versions whose last check failed. */
  failed(): Promise<ModelVersion[]> {
    return this.versions.find({ where: { state: 'failed' }, order: { name: 'ASC', version: 'ASC' } });
  }

  /**
   * Lets an alias stand for a version, once that was checked here, and waits until every process serves it. If one of
   * them cannot, the alias goes back to what it stood for. A canary of what is in production now ends.
   * @throws Problem `bad-request`, `model-not-found`, `artifact-not-usable`
   */
  promote(wanted: Wanted & { version: string }, origin: Origin): Promise<Promotion> {
    return this.put(wanted, [wanted.version], origin);
  }

  /** @param settled the versions whose canary ends with it */
  private async put(
    wanted: Wanted & { version: string },
    settled: readonly string[],
    origin: Origin,
  ): Promise<Promotion> {
    const { name, alias, version } = wanted;
    refuseBadPercent(wanted);
    await this.verify(name, version);
    const { id, previous } = await this.aliases.add(wanted, origin);
    const { followed, behind, failure } = await this.processes.follow({ id, name, alias, version });
    if (failure === undefined) {
      const canary = alias === PRODUCTION ? await this.settleCanary(name, settled, origin) : undefined;
      return { version, previous: previous?.version ?? null, followed, behind, canary };
    }

    const before = previous
      ? { version: previous.version, percent: previous.percent, restoredId: firstIdOf(previous) }
      : { version: null };
    await this.aliases.add({ name, alias, ...before }, origin, id);
    await this.setState(name, version, failure);
    throw new Problem('artifact-not-usable', `${name}@${alias} stays what it was. ${failure}`);
  }

  /** Once production is another version: users of a canary would go on being answered by what was decided about. */
  private async settleCanary(
    name: string,
    settled: readonly string[],
    origin: Origin,
  ): Promise<SettledCanary | undefined> {
    const standing = await this.aliases.standing(name, CANARY);
    if (!standing) return undefined;
    const [version, percent] = [standing.version!, standing.percent ?? 0];
    const hasEnded = settled.includes(version);
    if (hasEnded) {
      const { id } = await this.aliases.add({ name, alias: CANARY, version: null }, origin, standing.id);
      await this.processes.follow({ id, name, alias: CANARY, version: null });
    }
    return { version, percent, hasEnded };
  }

  /**
   * Lets an alias stand for what it stood for before; again, for what it stood for before that. Of production, a canary
   * of the version that is left ends as well.
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
    const restoredId = firstIdOf(before);
    const settled = [version, current!.version!];
    return this.put({ name, alias, version, percent, restoredId }, settled, origin);
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
      await usable(async () => this.intake.check(await this.store.folderOf(found)));
    } catch (error) {
      if (error instanceof Problem && error.code === 'artifact-not-usable') {
        await this.setState(name, version, error.message);
      }
      throw error;
    }
    if (found.state === 'failed') await this.setState(name, version, null);
  }

  /** Writes down that this release need not check a version in a process of its own again. */
  async rememberQuick({ name, version }: StoredArtifact): Promise<void> {
    await this.versions.update({ name, version }, { checkedBy: CHECKER });
  }

  /** Loads a version for somebody's own use. @throws Error */
  async load(version: StoredArtifact, options: Pick<LoadOptions, 'timeLimitMs'>): Promise<Model> {
    return Model.load(await this.folderOf(version), { ...this.intake.limits, ...options });
  }

  /** A folder on this machine with the version's files. */
  folderOf(version: StoredArtifact): Promise<string> {
    return this.store.folderOf(version);
  }

  private async setState(name: string, version: string, failure: string | null): Promise<void> {
    await this.versions.update({ name, version }, { state: failure === null ? 'ready' : 'failed', failure });
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

/** PostgreSQL has no text with NUL in it, so that nothing can be called so. */
function isStorable(text: string): boolean {
  return !text.includes('\0');
}

function notFound(name: string, version?: string): Problem {
  if (version !== undefined) return notThere({ name, version });
  return new Problem('model-not-found', `There is no model '${name}'.`);
}

function byAlias(a: ModelAlias, b: ModelAlias): number {
  return a.alias.localeCompare(b.alias, 'en');
}

/** Numbers as numbers: 2 before 10. */
function byVersion(a: ModelVersion, b: ModelVersion): number {
  return a.version.localeCompare(b.version, 'en', { numeric: true });
}

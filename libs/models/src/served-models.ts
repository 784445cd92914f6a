import { Injectable } from '@nestjs/common';
import type { Model } from '#libs/inference';
import type { Assignment } from './alias-history.js';
import { keyOf } from './artifacts/stored-artifact.js';
import { isInCanary } from './canary.js';
import { FollowedAliases, type Failed } from './followed-aliases.js';
import { ModelPool } from './model-pool.js';
import { CANARY, notThere, PRODUCTION, SHADOW } from './model-reference.js';
import { NumberedVersions } from './numbered-versions.js';
import type { RunFigures } from './run-figures.js';

/** The models that this process answers with. A lookup on the request path does not wait. */
@Injectable()
export class ServedModels {
  readonly runs: RunFigures;

  constructor(
    pool: ModelPool,
    private readonly aliases: FollowedAliases,
    private readonly numbered: NumberedVersions,
  ) {
    this.runs = pool.runs;
  }

  /** The model behind the root routes; none if its alias was removed. */
  get default(): Model | undefined {
    const reference = this.aliases.defaultReference;
    return 'version' in reference
      ? this.aliases.pinned?.model
      : this.standing(reference.name, reference.alias);
  }

  /**
   * The model that answers this user; the default model if there is no reference. Only a version that is requested by
   * its number and that no alias stands for may have to be loaded first.
   * @throws Problem `model-not-found`
   */
  get(reference = this.aliases.defaultReference, userId?: number): Model | Promise<Model> {
    const { name } = reference;
    if ('version' in reference) return this.getVersion(name, reference.version);
    const canary = reference.alias === PRODUCTION ? this.canaryOf(name, userId) : undefined;
    const model = canary ?? this.standing(name, reference.alias);
    if (model) return model;
    throw notThere(reference);
  }

  /** The candidate that gets the same requests as this model; never the same version. */
  shadowOf({ name, version }: Model): Model | undefined {
    const shadow = this.standing(name, SHADOW);
    return shadow && shadow.version !== version ? shadow : undefined;
  }

  /** The version of each model in production that answers this user, by name. */
  offeredTo(userId: number): readonly Model[] {
    return this.inProduction
      .map((model) => this.canaryOf(model.name, userId) ?? model)
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
  }

  /** The models in production. */
  get inProduction(): readonly Model[] {
    return this.aliases
      .all()
      .flatMap(({ wanted, held }) => (held && wanted.alias === PRODUCTION ? [held.model] : []));
  }

  /** Every version that an alias stands for, once. */
  get all(): readonly Model[] {
    const models = this.aliases.all().flatMap(({ held }) => (held ? [held.model] : []));
    return [...new Map(models.map((model) => [keyOf(model), model])).values()];
  }

  /** What answers here, and for which alias; '' if it is referred to by its version. */
  get answering() {
    const reference = this.aliases.defaultReference;
    const isDefault = ({ name, alias }: Assignment) =>
      !('version' in reference) && name === reference.name && alias === reference.alias;
    const byAlias = this.aliases
      .all()
      .flatMap(({ wanted, held }) =>
        held ? [{ model: held.model, alias: wanted.alias, isDefault: isDefault(wanted) }] : [],
      );
    return this.aliases.pinned
      ? [...byAlias, { model: this.aliases.pinned.model, alias: '', isDefault: true }]
      : byAlias;
  }

  /** The versions that failed their last check, wherever that was, and those that cannot be loaded here. */
  get failed(): readonly Failed[] {
    return this.aliases.failed;
  }

  private canaryOf(name: string, userId: number | undefined): Model | undefined {
    const canary = userId === undefined ? undefined : this.aliases.slot(name, CANARY);
    const isAsked = canary && isInCanary(name, userId!, canary.wanted.percent ?? 0);
    return isAsked ? canary.held?.model : undefined;
  }

  private standing(name: string, alias: string): Model | undefined {
    return this.aliases.slot(name, alias)?.held?.model;
  }

  private getVersion(name: string, version: string): Model | Promise<Model> {
    const isIt = (model?: Model) => model?.name === name && model.version === version;
    if (isIt(this.aliases.pinned?.model)) return this.aliases.pinned!.model;
    for (const { wanted, held } of this.aliases.slotsOf(name)) {
      // A shadow's process is for work that no caller waits for.
      if (wanted.alias !== SHADOW && isIt(held?.model)) return held!.model;
    }
    return this.numbered.get(name, version);
  }
}

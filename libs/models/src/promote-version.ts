import { Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import { AliasHistory, firstIdOf, isCurrent, type Origin, type Wanted } from './alias-history.js';
import { CANARY, PRODUCTION, SHADOW } from './model-reference.js';
import { ModelRegistry } from './model-registry.js';
import { ServingProcesses } from './serving-processes.js';
import { VerifyVersion } from './verify-version.js';

export interface Promotion {
  version: string;
  /** What the alias stood for before; null if it stood for nothing. */
  previous: string | null;
  /** How many processes serve it now. */
  followed: number;
  /** Those that do not serve it yet, as `host:pid`. */
  behind: string[];
  /** What became of the canary, if production is another version now and there was one. */
  canary?: SettledCanary;
}

/** A canary next to a new version in production. */
export interface SettledCanary {
  version: string;
  /** The percentage of users. */
  percent: number;
  /** If not, it goes on answering its users. */
  hasEnded: boolean;
}

type Assigned = Wanted & { version: string };

/**
 * Changes what the aliases stand for.
 *
 * Invariant: an alias never stands for a version that failed its check, here or in a process that serves. Such a
 * promotion is undone, and the version's state says why.
 */
@Injectable()
export class PromoteVersion {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly verification: VerifyVersion,
    private readonly aliases: AliasHistory,
    private readonly processes: ServingProcesses,
  ) {}

  /** Promotes the newest version of every model that was never in production. */
  async promoteFirst(origin: Origin): Promise<void> {
    for (const { name, versions, history } of await this.registry.list()) {
      if (history.some(({ alias }) => alias === PRODUCTION)) continue;
      await this.aliases.add({ name, alias: PRODUCTION, version: versions.at(-1)!.version }, origin, null);
    }
  }

  /**
   * Makes an alias stand for a version, once that was checked here, and waits until every process serves it. If one of
   * them cannot, the alias goes back to what it stood for. A canary of the new production version ends.
   * @throws Problem `bad-request`, `model-not-found`, `artifact-not-usable`
   */
  promote(wanted: Assigned, origin: Origin): Promise<Promotion> {
    return this.put(wanted, [wanted.version], origin);
  }

  /** @param settled the versions whose canary ends with it */
  private async put(wanted: Assigned, settled: readonly string[], origin: Origin): Promise<Promotion> {
    const { name, alias, version } = wanted;
    refuseBadPercent(wanted);
    // Held until it is served: a process that serves itself loads it once.
    const place = alias === SHADOW ? 'own process' : undefined;
    const { giveBack } = await this.verification.load(name, version, place);
    try {
      return await this.assign(wanted, settled, origin);
    } finally {
      void giveBack();
    }
  }

  private async assign(wanted: Assigned, settled: readonly string[], origin: Origin): Promise<Promotion> {
    const { name, alias, version } = wanted;
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
    await this.registry.setState(name, version, failure);
    throw new Problem('artifact-not-usable', `${name}@${alias} stays what it was. ${failure}`);
  }

  /** After a change of production: otherwise the canary's users would go on getting a version already decided on. */
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
   * Makes an alias stand for what it stood for before; called again, for what it stood for before that. In production
   * a canary of the version that it leaves ends as well.
   * @throws Problem `model-not-found` if there is nothing before, `artifact-not-usable`
   */
  async rollback(name: string, alias: string, origin: Origin): Promise<Promotion> {
    const { history } = await this.registry.show(name);
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
   * Removes an alias, and waits until no process uses it.
   * @throws Problem `model-not-found` if it stands for nothing
   */
  async remove(name: string, alias: string, origin: Origin): Promise<void> {
    const { aliases } = await this.registry.show(name);
    if (!aliases.some((each) => each.alias === alias && each.version !== null)) {
      throw new Problem('model-not-found', `The model ${name} has no alias ${alias}.`);
    }
    const { id } = await this.aliases.add({ name, alias, version: null }, origin);
    await this.processes.follow({ id, name, alias, version: null });
  }
}

/** A canary without a percentage would answer no one. */
function refuseBadPercent({ alias, percent }: Wanted): void {
  const hasPercent = percent !== undefined && percent !== null;
  if (hasPercent === (alias === CANARY)) return;
  throw Problem.badRequest('A canary needs a percentage of the users, and no other alias has one.', [
    { detail: 'is for the alias canary, and required there', pointer: '#/percent' },
  ]);
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { ChangeListener, isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import { ArtifactError, type Model } from '#libs/inference';
import { AliasHistory, type Assignment } from './alias-history.js';
import { isInCanary } from './canary.js';
import { ModelPool, type HeldModel } from './model-pool.js';
import {
  CANARY,
  describe,
  notThere,
  parseModelReference,
  PRODUCTION,
  SHADOW,
  type ModelReference,
} from './model-reference.js';
import { ModelRegistry } from './model-registry.js';
import type { ModelVersion } from './model-version.entity.js';
import type { Served } from './serving-process.entity.js';
import { RunFigures } from './run-figures.js';
import { ServingProcesses } from './serving-processes.js';
import { VersionIntake } from './version-intake.js';

/** The net under the notifications: a change is seen after this long even if nobody tells. */
const POLL_EVERY_MS = 1_000;
const RETRY_AFTER_MS = 30_000;
/** Versions that no alias stands for and that somebody asked for by number: the least recently used goes first. */
const MAX_KEPT_BY_NUMBER = 8;
/** A part of the ten seconds that a stop may take: what a model has not answered by then is refused. */
const LAST_ANSWERS_MS = 4_000;

/** A version that is not served, and why. */
export type Failed = Pick<ModelVersion, 'name' | 'version' | 'failure'>;

/** A version that answers, and as what. */
export interface Answering {
  model: Model;
  /** '' where it is named by its version. */
  alias: string;
  isDefault: boolean;
}

/** One alias of one model, as this process serves it. */
interface Slot {
  wanted: Assignment;
  /** What answers: the wanted version, or the one before it until that is loaded. */
  held?: HeldModel;
  failure?: { version: string; error: Error; at: number };
  loading?: Promise<void>;
}

/**
 * The models this process answers with: for every alias in the registry, the version it stands for. A lookup on the
 * request path waits for nothing.
 *
 * Invariants
 * - a version answers only once it is loaded, warm and checked; until then, and for good if it fails, the one before
 *   it goes on answering;
 * - a model that was replaced answers the requests it has, and is then released;
 * - the default model is there from the first request on, or there is no boot.
 */
@Injectable()
export class ServedModels implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly runs = new RunFigures();
  private readonly logger = new Logger(ServedModels.name);
  private readonly process = { id: randomUUID(), host: hostname(), pid: process.pid };
  private readonly pool: ModelPool;
  private readonly defaultReference: ModelReference;
  /** Of a default model that is named by its version. */
  private pinned?: HeldModel;
  private openingAgain?: Promise<void>;
  /** name → alias → slot. */
  private readonly slots = new Map<string, Map<string, Slot>>();
  /** Versions asked for by number, the least recently used first. */
  private readonly byNumber = new Map<string, Promise<HeldModel>>();
  private failedVersions: readonly Failed[] = [];
  private following?: Promise<void>;
  private isStale = false;
  private closed = false;
  private readonly stopping = new AbortController();
  private timer?: NodeJS.Timeout;
  private lastAnswers?: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) config: Config,
    @Inject(ModelRegistry) private readonly registry: ModelRegistry,
    @Inject(VersionIntake) private readonly intake: VersionIntake,
    @Inject(AliasHistory) private readonly aliases: AliasHistory,
    @Inject(ServingProcesses) private readonly processes: ServingProcesses,
    @Inject(ChangeListener) changes: ChangeListener,
  ) {
    this.defaultReference = parseModelReference(config.defaultModel);
    this.pool = new ModelPool((artifact) => registry.folderOf(artifact), {
      timeLimitMs: config.predictionTimeoutMs,
      maxQueued: config.modelQueueRows,
      checkTimeoutMs: config.modelCheckTimeoutMs,
      maxMemoryBytes: config.modelMemoryBytes,
      signal: this.stopping.signal,
      isStarting: () => this.timer === undefined,
      // It is checked anew by the next start, if it cannot be written down.
      onQuick: (artifact) => void registry.rememberQuick(artifact).catch(() => undefined),
      observe: this.runs.observe,
    });
    const follow = () => void this.follow();
    changes.subscribe('foretell_models', follow, follow);
  }

  async onModuleInit(): Promise<void> {
    await this.intake.sweep();
    const { failures, warnings } = await this.registry.registerFound();
    for (const failure of failures) this.logger.error(failure);
    for (const warning of warnings) this.logger.warn(warning);
    await this.registry.promoteFirst({ from: 'MODEL_DIR' });
    await this.update();
    await this.settled();
    await this.openDefault(failures);
    await this.report();
    this.timer = setInterval(() => void this.follow(), POLL_EVERY_MS);
  }

  /** Requests in flight are waited for after this: one whose model never answers must not keep us. */
  beforeApplicationShutdown(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.stopping.abort(Problem.overloaded('The service is stopping. Please try again.'));
    this.lastAnswers = setTimeout(() => void this.pool.end(), LAST_ANSWERS_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.following;
    await this.settled();
    await this.processes.forget(this.process.id).catch(() => undefined);
    const byNumber = await Promise.allSettled(this.byNumber.values());
    await Promise.all([
      this.pinned?.giveBack(),
      ...this.allSlots().map(({ held }) => held?.giveBack()),
      ...byNumber.map((each) => each.status === 'fulfilled' && each.value.giveBack()),
    ]);
    clearTimeout(this.lastAnswers);
  }

  /** The model behind the root routes; none once its alias was taken away. */
  get default(): Model | undefined {
    const reference = this.defaultReference;
    return 'version' in reference ? this.pinned?.model : this.standing(reference.name, reference.alias);
  }

  /**
   * The model that answers this user, of the default model where none is named. Only a version that is asked for by
   * its number and that no alias stands for may have to be loaded first.
   * @throws Problem `model-not-found`
   */
  get(reference = this.defaultReference, userId?: number): Model | Promise<Model> {
    const { name } = reference;
    if ('version' in reference) return this.getVersion(name, reference.version);
    const canary = reference.alias === PRODUCTION ? this.canaryOf(name, userId) : undefined;
    const model = canary ?? this.standing(name, reference.alias);
    if (model) return model;
    throw notThere(reference);
  }

  /** The candidate that sees what this model is asked; never the same version. */
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
    return this.allSlots().flatMap(({ wanted, held }) =>
      held && wanted.alias === PRODUCTION ? [held.model] : [],
    );
  }

  /** Every version that an alias stands for, once. */
  get all(): readonly Model[] {
    const models = this.allSlots().flatMap(({ held }) => (held ? [held.model] : []));
    return [...new Map(models.map((model) => [keyOf(model), model])).values()];
  }

  /** What answers here, and for which alias; for none where it is asked for by its number. */
  get answering(): readonly Answering[] {
    const reference = this.defaultReference;
    const isDefault = ({ name, alias }: Assignment) =>
      !('version' in reference) && name === reference.name && alias === reference.alias;
    const byAlias = this.allSlots().flatMap(({ wanted, held }) =>
      held ? [{ model: held.model, alias: wanted.alias, isDefault: isDefault(wanted) }] : [],
    );
    return this.pinned ? [...byAlias, { model: this.pinned.model, alias: '', isDefault: true }] : byAlias;
  }

  /** The versions that failed their last check, wherever that was, and those that cannot be loaded here. */
  get failed(): readonly Failed[] {
    const here = this.allSlots().flatMap(({ wanted: { name }, failure }) =>
      failure ? [{ name, version: failure.version, failure: reasonOf(failure.error) }] : [],
    );
    return [...new Map([...here, ...this.failedVersions].map((each) => [keyOf(each), each])).values()];
  }

  private canaryOf(name: string, userId: number | undefined): Model | undefined {
    const canary = userId === undefined ? undefined : this.slots.get(name)?.get(CANARY);
    const isAsked = canary && isInCanary(name, userId!, canary.wanted.percent ?? 0);
    return isAsked ? canary.held?.model : undefined;
  }

  private standing(name: string, alias: string): Model | undefined {
    return this.slots.get(name)?.get(alias)?.held?.model;
  }

  private allSlots(): Slot[] {
    return [...this.slots.values()].flatMap((aliases) => [...aliases.values()]);
  }

  private async settled(): Promise<void> {
    await Promise.all([this.openingAgain, ...this.allSlots().map(({ loading }) => loading)]);
  }

  private async openDefault(failures: readonly string[]): Promise<void> {
    const reference = this.defaultReference;
    if ('version' in reference) {
      this.pinned = await this.loadRegistered(reference.name, reference.version);
      return;
    }
    const slot = this.slots.get(reference.name)?.get(reference.alias);
    if (slot?.held) return;
    const reasons = [
      slot?.failure?.error.message,
      ...failures.filter((each) => each.startsWith(`${reference.name} `)),
    ];
    throw new Error(
      [
        `The default model, ${describe(reference)}, cannot be used.`,
        ...reasons.flatMap((reason) => reason?.replace(/\.?\s*$/, '.') ?? []),
        'MODEL_DIR is the folder that holds <model>/<version>/, and DEFAULT_MODEL names one of its models.',
      ].join(' '),
    );
  }

  private getVersion(name: string, version: string): Model | Promise<Model> {
    const isIt = (model?: Model) => model?.name === name && model.version === version;
    if (isIt(this.pinned?.model)) return this.pinned!.model;
    for (const [alias, { held }] of this.slots.get(name) ?? []) {
      // A shadow's process is for what nobody waits for.
      if (alias !== SHADOW && isIt(held?.model)) return held!.model;
    }
    return this.takeByNumber(name, version);
  }

  private async takeByNumber(name: string, version: string): Promise<Model> {
    const key = keyOf({ name, version });
    const held = this.byNumber.get(key) ?? this.loadByNumber(key, name, version);
    this.byNumber.delete(key);
    this.byNumber.set(key, held);
    const { model, giveBack } = await held;
    this.forgetLeastUsed();
    // Calls that ask it now are refused; the next one loads it anew.
    if (model.hasEnded && this.byNumber.get(key) === held) {
      this.byNumber.delete(key);
      this.logger.error(`${name} ${version} is loaded anew when it is asked again: ${model.endReason}`);
      void giveBack();
    }
    return model;
  }

  private loadByNumber(key: string, name: string, version: string): Promise<HeldModel> {
    const held = this.loadRegistered(name, version).catch((error: Error) => {
      const forget = () => this.byNumber.get(key) === held && this.byNumber.delete(key);
      if (error instanceof Problem || isUnavailable(error)) {
        forget();
        throw error;
      }
      // Loading it again with every request would be work for whoever asks.
      setTimeout(forget, RETRY_AFTER_MS).unref();
      this.logger.error(error.message);
      throw new Problem('model-not-found', `Version ${version} of model '${name}' cannot be loaded here.`);
    });
    return held;
  }

  /** For a default model that is named by its version, when its process has ended. */
  private async openPinnedAgain(ended: HeldModel): Promise<void> {
    const { name, version, endReason } = ended.model;
    this.logger.error(`${name} ${version} is loaded anew: ${endReason}`);
    try {
      this.pinned = await this.loadRegistered(name, version);
      void ended.giveBack();
    } catch (error) {
      this.logger.error(error);
    }
  }

  private async loadRegistered(name: string, version: string): Promise<HeldModel> {
    return this.pool.take(await this.registry.find(name, version));
  }

  private forgetLeastUsed(): void {
    if (this.byNumber.size <= MAX_KEPT_BY_NUMBER) return;
    const [key, held] = this.byNumber.entries().next().value!;
    this.byNumber.delete(key);
    // Whoever was handed it in this turn of the event loop asks it before the turn ends.
    void held.then(({ giveBack }) => setImmediate(giveBack)).catch(() => undefined);
  }

  /** Looks at the registry, one look at a time; what is said meanwhile is looked at once more. */
  private follow(): Promise<void> {
    this.isStale = true;
    this.following ??= this.followAll().finally(() => (this.following = undefined));
    return this.following;
  }

  private async followAll(): Promise<void> {
    while (this.isStale && !this.closed) {
      this.isStale = false;
      try {
        await this.update();
        await this.report();
      } catch (error) {
        // The next look comes in a second; what is served stays served.
        if (!isUnavailable(error)) this.logger.error(error);
      }
    }
  }

  private async update(): Promise<void> {
    const assignments = await this.aliases.current();
    const standing = new Set(assignments.map(({ name, alias }) => `${name}@${alias}`));
    for (const slot of this.allSlots()) {
      const { name, alias } = slot.wanted;
      if (standing.has(`${name}@${alias}`)) continue;
      this.slots.get(name)!.delete(alias);
      void slot.held?.giveBack();
    }
    for (const wanted of assignments) this.want(wanted);
    const { pinned } = this;
    if (pinned?.model.hasEnded) {
      this.openingAgain ??= this.openPinnedAgain(pinned).finally(() => (this.openingAgain = undefined));
    }
    await this.updateFailed();
  }

  private async updateFailed(): Promise<void> {
    const failed = await this.registry.failed();
    const textOf = ({ name, version, failure }: Failed) => `${name} ${version} failed its check: ${failure}`;
    const known = new Set(this.failedVersions.map(textOf));
    for (const text of failed.map(textOf)) if (!known.has(text)) this.logger.error(text);
    this.failedVersions = failed;
  }

  private want(wanted: Assignment): void {
    const { name, alias } = wanted;
    const aliases = this.slots.get(name) ?? new Map<string, Slot>();
    this.slots.set(name, aliases);
    const slot = aliases.get(alias) ?? { wanted };
    aliases.set(alias, slot);
    const mayRetry = slot.failure && performance.now() - slot.failure.at > RETRY_AFTER_MS;
    if (slot.wanted.id !== wanted.id || mayRetry) slot.failure = undefined;
    slot.wanted = wanted;
    if (slot.loading || isSettled(slot)) return;
    const ended = slot.held?.model;
    if (ended?.hasEnded) this.logger.error(`${name}@${alias} is loaded anew: ${ended.endReason}`);
    slot.loading = this.load(slot);
  }

  /** Brings a slot to what is wanted of it, which may change meanwhile. */
  private async load(slot: Slot): Promise<void> {
    const { name, alias } = slot.wanted;
    const isWanted = () => this.slots.get(name)?.get(alias) === slot;
    while (isWanted() && !isSettled(slot)) {
      const { wanted } = slot;
      const { version } = wanted;
      try {
        const held = await this.pool.take(wanted, alias === SHADOW ? 'own process' : undefined);
        const isCurrent = slot.wanted.version === version && isWanted();
        const replaced = isCurrent ? slot.held : held;
        if (isCurrent) slot.held = held;
        // It answers what it still has to answer; nobody waits for that.
        void replaced?.giveBack();
        if (isCurrent && this.timer) this.logger.log(`${name}@${alias} is version ${version} now`);
      } catch (error) {
        if (this.closed) break;
        const { message } = error as Error;
        this.logger.error(`${name}@${alias} cannot become version ${version}: ${message}`);
        if (slot.wanted.id === wanted.id)
          slot.failure = { version, error: error as Error, at: performance.now() };
      }
    }
    // In the same turn as the last look: what is wanted from now on is loaded anew.
    slot.loading = undefined;
    if (this.timer) void this.follow();
  }

  /** Tells the registry what is served here, and that we are there. */
  private async report(): Promise<void> {
    if (this.closed) return;
    const serving = this.allSlots().map(({ wanted: { id, name, alias }, held, failure }): Served => ({
      aliasId: id,
      name,
      alias,
      version: held?.model.version ?? null,
      failure: failure ? { version: failure.version, reason: reasonOf(failure.error) } : null,
    }));
    await this.processes.report({ ...this.process, serving });
  }
}

function keyOf({ name, version }: { name: string; version: string }): string {
  return `${name}/${version}`;
}

/** Whether the slot is what is wanted of it, as far as it can be. */
function isSettled({ wanted, held, failure }: Slot): boolean {
  return failure !== undefined || (held?.model.version === wanted.version && !held.model.hasEnded);
}

/** For callers, who need not know this machine's folders. */
function reasonOf(error: Error): string {
  return error instanceof ArtifactError ? error.detail : error.message;
}

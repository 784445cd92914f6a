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
import { ArtifactError } from '#libs/inference';
import { AliasHistory, type Assignment } from './alias-history.js';
import { keyOf } from './artifacts/stored-artifact.js';
import { ModelPool, type HeldModel } from './model-pool.js';
import { describe, parseModelReference, SHADOW, type ModelReference } from './model-reference.js';
import { ModelRegistry } from './model-registry.js';
import type { ModelVersion } from './model-version.entity.js';
import { RegisterVersion } from './register-version.js';
import type { Served } from './serving-process.entity.js';
import { ServingProcesses } from './serving-processes.js';
import { VersionIntake } from './version-intake.js';

/** The fallback for notifications: a change is seen after this long even without one. */
const POLL_EVERY_MS = 1_000;
const RETRY_AFTER_MS = 30_000;
/** A part of the ten seconds that a stop may take: what a model has not answered by then is refused. */
const LAST_ANSWERS_MS = 4_000;

/** A version that is not served, and why. */
export type Failed = Pick<ModelVersion, 'name' | 'version' | 'failure'>;

/** One alias of one model, as this process serves it. */
interface Slot {
  wanted: Assignment;
  /** What answers: the wanted version, or the one before it until that is loaded. */
  held?: HeldModel;
  failure?: { version: string; error: Error; at: number };
  loading?: Promise<void>;
}

/**
 * The loaded version of every alias in the registry, kept up to date while others change the registry.
 *
 * Invariants
 * - a version answers only once it is loaded, warm and checked; until then, and always if it fails, the version before
 *   it goes on answering;
 * - a model that was replaced answers the requests it has, and is then released;
 * - the default model is there from the first request on; otherwise the process does not start.
 */
@Injectable()
export class FollowedAliases implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly defaultReference: ModelReference;
  /** A default model that is referred to by its version. */
  pinned?: HeldModel;
  private readonly logger = new Logger(FollowedAliases.name);
  private readonly process = { id: randomUUID(), host: hostname(), pid: process.pid };
  private openingAgain?: Promise<void>;
  /** name → alias → slot. */
  private readonly slots = new Map<string, Map<string, Slot>>();
  private failedVersions: readonly Failed[] = [];
  private following?: Promise<void>;
  private isStale = false;
  private timer?: NodeJS.Timeout;
  private lastAnswers?: NodeJS.Timeout;

  constructor(
    @Inject(CONFIG) config: Config,
    private readonly pool: ModelPool,
    private readonly registry: ModelRegistry,
    private readonly registration: RegisterVersion,
    private readonly intake: VersionIntake,
    private readonly aliases: AliasHistory,
    private readonly processes: ServingProcesses,
    changes: ChangeListener,
  ) {
    this.defaultReference = parseModelReference(config.defaultModel);
    const follow = () => void this.follow();
    changes.subscribe('foretell_models', follow, follow);
  }

  async onModuleInit(): Promise<void> {
    this.pool.isStarting = true;
    await this.intake.sweep();
    const { failures, warnings } = await this.registration.registerFound();
    for (const failure of failures) this.logger.error(failure);
    for (const warning of warnings) this.logger.warn(warning);
    await this.update();
    await this.settled();
    await this.openDefault(failures);
    await this.report();
    this.pool.isStarting = false;
    this.timer = setInterval(() => void this.follow(), POLL_EVERY_MS);
  }

  /** Requests in flight are waited for after this: one whose model never answers must not delay us. */
  beforeApplicationShutdown(): void {
    clearInterval(this.timer);
    this.lastAnswers = setTimeout(() => void this.pool.end(), LAST_ANSWERS_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.following;
    await this.settled();
    await this.processes.forget(this.process.id).catch(() => undefined);
    await Promise.all([this.pinned?.giveBack(), ...this.all().map(({ held }) => held?.giveBack())]);
    clearTimeout(this.lastAnswers);
  }

  slot(name: string, alias: string): Slot | undefined {
    return this.slots.get(name)?.get(alias);
  }

  slotsOf(name: string): Iterable<Slot> {
    return this.slots.get(name)?.values() ?? [];
  }

  all(): Slot[] {
    return [...this.slots.values()].flatMap((aliases) => [...aliases.values()]);
  }

  /** The versions that failed their last check, wherever that was, and those that cannot be loaded here. */
  get failed(): readonly Failed[] {
    const here = this.all().flatMap(({ wanted: { name }, failure }) =>
      failure ? [{ name, version: failure.version, failure: reasonOf(failure.error) }] : [],
    );
    return [...new Map([...here, ...this.failedVersions].map((each) => [keyOf(each), each])).values()];
  }

  /** Anything that is still loading is then given up. */
  private get isClosed(): boolean {
    return this.intake.isStopping;
  }

  private async settled(): Promise<void> {
    await Promise.all([this.openingAgain, ...this.all().map(({ loading }) => loading)]);
  }

  private async openDefault(failures: readonly string[]): Promise<void> {
    const reference = this.defaultReference;
    if ('version' in reference) {
      this.pinned = await this.loadRegistered(reference.name, reference.version);
      return;
    }
    const slot = this.slot(reference.name, reference.alias);
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

  /** For a default model that is referred to by its version, when its process has ended. */
  private async openPinnedAgain(ended: HeldModel): Promise<void> {
    const { name, version, endReason } = ended.model;
    this.logger.error(`${name} ${version} is loaded again: ${endReason}`);
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

  /** Reads the registry, one read at a time; a notification meanwhile causes one more. */
  private follow(): Promise<void> {
    this.isStale = true;
    this.following ??= this.followAll().finally(() => (this.following = undefined));
    return this.following;
  }

  private async followAll(): Promise<void> {
    while (this.isStale && !this.isClosed) {
      this.isStale = false;
      try {
        await this.update();
        await this.report();
      } catch (error) {
        // The next look comes in a second; what is served remains served.
        if (!isUnavailable(error)) this.logger.error(error);
      }
    }
  }

  private async update(): Promise<void> {
    const assignments = await this.aliases.current();
    const standing = new Set(assignments.map(({ name, alias }) => `${name}@${alias}`));
    for (const slot of this.all()) {
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
    if (ended?.hasEnded) this.logger.error(`${name}@${alias} is loaded again: ${ended.endReason}`);
    slot.loading = this.load(slot);
  }

  /** Loads what is wanted of a slot, which may change meanwhile. */
  private async load(slot: Slot): Promise<void> {
    const { name, alias } = slot.wanted;
    const isWanted = () => this.slot(name, alias) === slot;
    while (isWanted() && !isSettled(slot)) {
      const { wanted } = slot;
      const { version } = wanted;
      try {
        const held = await this.pool.take(wanted, alias === SHADOW ? 'own process' : undefined);
        const isCurrent = slot.wanted.version === version && isWanted();
        const replaced = isCurrent ? slot.held : held;
        if (isCurrent) slot.held = held;
        // It answers what it still has to answer; nothing waits for that.
        void replaced?.giveBack();
        if (isCurrent && this.timer) this.logger.log(`${name}@${alias} is version ${version} now`);
      } catch (error) {
        if (this.isClosed) break;
        const { message } = error as Error;
        this.logger.error(`${name}@${alias} cannot become version ${version}: ${message}`);
        if (slot.wanted.id === wanted.id)
          slot.failure = { version, error: error as Error, at: performance.now() };
      }
    }
    // In the same turn as the last look: what is wanted from now on is loaded again.
    slot.loading = undefined;
    if (this.timer) void this.follow();
  }

  /** Reports to the registry what is served here, and that this process is alive. */
  private async report(): Promise<void> {
    if (this.isClosed) return;
    const serving = this.all().map(({ wanted: { id, name, alias }, held, failure }): Served => ({
      aliasId: id,
      name,
      alias,
      version: held?.model.version ?? null,
      failure: failure ? { version: failure.version, reason: reasonOf(failure.error) } : null,
    }));
    await this.processes.report({ ...this.process, serving });
  }
}

/** Whether the slot serves what is wanted of it, as far as it can. */
function isSettled({ wanted, held, failure }: Slot): boolean {
  return failure !== undefined || (held?.model.version === wanted.version && !held.model.hasEnded);
}

/** For callers, who should not see this machine's folders. */
function reasonOf(error: Error): string {
  return error instanceof ArtifactError ? error.detail : error.message;
}

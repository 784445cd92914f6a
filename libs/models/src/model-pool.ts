import { CHECKER, Model, type LoadOptions } from '#libs/inference';
import pLimit from 'p-limit';
import type { StoredArtifact } from './artifacts/stored-artifact.js';
import { RunFigures } from './run-figures.js';

/** Loading takes a process of its own, with its time and memory. */
const MAX_LOADING = 2;

/** A version, and the release that found it quick. */
export type KnownArtifact = StoredArtifact & { checkedBy?: string | null };

export interface PoolOptions extends Omit<LoadOptions, 'observe'> {
  /** Called with a model that need not be checked in a process at the next start. */
  onQuick?(artifact: StoredArtifact): void;
}

interface Held {
  model: Promise<Model>;
  /** Set once it is loaded. */
  loaded?: Model;
  holders: number;
}

/**
 * Loaded models, each once for all its holders. Every holder gives its model back; after the last one the model
 * answers what it still has to answer, and is released.
 */
export class ModelPool {
  readonly runs = new RunFigures();
  private readonly held = new Map<string, Held>();
  /** While no request is served yet, models known to be quick may be checked on the event loop. */
  isStarting = false;
  /** Includes those without holders, until they have answered what they were asked. */
  private readonly alive = new Set<Model>();
  private readonly limit = pLimit(MAX_LOADING);

  constructor(
    private readonly folderOf: (artifact: StoredArtifact) => Promise<string>,
    private readonly options: PoolOptions,
  ) {}

  /**
   * @param folder where its files are, if the caller has looked at them
   * @throws Error if it cannot be loaded; then nothing is held.
   */
  async take(artifact: KnownArtifact, place?: LoadOptions['place'], folder?: string) {
    const key = [artifact.name, artifact.version, artifact.contentSha256, place].join('/');
    const there = this.held.get(key);
    const load = () => this.limit(() => this.load(artifact, place, folder));
    const held: Held = there && !there.loaded?.hasEnded ? there : { holders: 0, model: load() };
    held.holders++;
    this.held.set(key, held);
    /** Only once. Resolves when it is released, if it has no other holder. */
    const giveBack = async () => {
      if (--held.holders > 0) return;
      if (this.held.get(key) === held) this.held.delete(key);
      await held.model
        .then((model) => model.release().finally(() => this.alive.delete(model)))
        .catch(() => undefined);
    };
    try {
      held.loaded = await held.model;
      return { model: held.loaded, giveBack };
    } catch (error) {
      await giveBack();
      throw error;
    }
  }

  /** Ends the models that have a process, without waiting for pending calls. */
  async end(): Promise<void> {
    await Promise.all([...this.alive].map((model) => model.end()));
  }

  private async load(artifact: KnownArtifact, place: LoadOptions['place'], given?: string): Promise<Model> {
    const { onQuick, ...limits } = this.options;
    const isKnown = artifact.checkedBy === CHECKER;
    const wasChecked = isKnown && this.isStarting;
    const folder = given ?? (await this.folderOf(artifact));
    const options = { ...limits, place, wasChecked, observe: this.runs.observe };
    const model = await registered(await Model.load(folder, options), artifact);
    this.alive.add(model);
    if (model.isQuickToCheck && !isKnown) onQuick?.(artifact);
    return model;
  }
}

/** Its files may have changed between the check and the loading. @throws Error */
async function registered(model: Model, { name, version, contentSha256 }: StoredArtifact): Promise<Model> {
  if (model.contentSha256 === contentSha256) return model;
  await model.release();
  throw new Error(
    `${name} ${version} does not have the content that was registered: expected ${contentSha256}, ` +
      `found ${model.contentSha256}`,
  );
}

export type HeldModel = Awaited<ReturnType<ModelPool['take']>>;

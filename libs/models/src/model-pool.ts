import { Model, type LoadOptions } from '#libs/inference';
import pLimit from 'p-limit';
import type { StoredArtifact } from './artifacts/stored-artifact.js';

/** Loading takes a thread's time and memory of its own. */
const MAX_LOADING = 2;

interface Held {
  model: Promise<Model>;
  /** Once it is there. */
  loaded?: Model;
  holders: number;
}

/**
 * Loaded models, each once for all who hold it. Whoever takes a model gives it back; with the last of them gone it
 * answers what it still has to answer, and is released.
 */
export class ModelPool {
  private readonly held = new Map<string, Held>();
  private readonly limit = pLimit(MAX_LOADING);

  constructor(
    private readonly folderOf: (artifact: StoredArtifact) => Promise<string>,
    private readonly options: LoadOptions,
  ) {}

  /** @throws Error where it cannot be loaded; then nothing is held. */
  async take(artifact: StoredArtifact, place?: LoadOptions['place']): Promise<HeldModel> {
    const key = [artifact.name, artifact.version, artifact.contentSha256, place].join('/');
    const there = this.held.get(key);
    const held: Held = there && !there.loaded?.hasEnded ? there : this.load(artifact, place);
    held.holders++;
    this.held.set(key, held);
    const giveBack = async () => {
      if (--held.holders > 0) return;
      if (this.held.get(key) === held) this.held.delete(key);
      await held.model.then((model) => model.release()).catch(() => undefined);
    };
    try {
      held.loaded = await held.model;
      return { model: held.loaded, giveBack };
    } catch (error) {
      await giveBack();
      throw error;
    }
  }

  private load(artifact: StoredArtifact, place: LoadOptions['place']): Held {
    const options = { ...this.options, ...(place && { place }) };
    return {
      holders: 0,
      model: this.limit(async () =>
        registered(await Model.load(await this.folderOf(artifact), options), artifact),
      ),
    };
  }
}

/** Its files may have changed between being looked at and being loaded. @throws Error */
async function registered(model: Model, { name, version, contentSha256 }: StoredArtifact): Promise<Model> {
  if (model.contentSha256 === contentSha256) return model;
  await model.release();
  throw new Error(
    `${name} ${version} has other content than what was registered: expected ${contentSha256}, ` +
      `found ${model.contentSha256}`,
  );
}

export interface HeldModel {
  readonly model: Model;
  /** Once. Resolves when it is released, where nobody else holds it. */
  giveBack(): Promise<void>;
}

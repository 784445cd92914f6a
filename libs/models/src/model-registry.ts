import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { Model } from '#libs/inference';

/**
 * The models this process answers with: every version in `MODEL_DIR`, loaded at boot. A lookup on the request path
 * never loads anything. A model is served in its newest version that could be loaded; a version that could not is
 * said in the log. If it is the default model that has none, there is no boot.
 */
@Injectable()
export class ModelRegistry implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(ModelRegistry.name);
  /** name → version → model, versions in order. */
  private readonly models = new Map<string, Map<string, Model>>();
  private defaultModel!: Model;

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  async onModuleInit(): Promise<void> {
    const { modelDir, defaultModel } = this.config;
    for (const name of await foldersIn(modelDir)) {
      for (const version of await foldersIn(join(modelDir, name))) await this.load(name, version);
    }
    const served = newest(this.models.get(defaultModel));
    if (!served) {
      throw new Error(
        `No usable version of the model ${defaultModel} in ${join(modelDir, defaultModel)}. Set MODEL_DIR to the ` +
          `folder that holds <model>/<version>/, and DEFAULT_MODEL to one of its models.`,
      );
    }
    this.defaultModel = served;
  }

  async onApplicationShutdown(): Promise<void> {
    for (const model of this.all) await model.release();
  }

  /** The model behind the root routes. */
  get default(): Model {
    return this.defaultModel;
  }

  /** Every loaded version of every model. */
  get all(): readonly Model[] {
    return [...this.models.values()].flatMap((versions) => [...versions.values()]);
  }

  /** Every model in the version that is served. */
  get served(): readonly Model[] {
    return [...this.models.values()].map((versions) => newest(versions)!);
  }

  /** @throws Problem `model-not-found` */
  get(name: string, version?: string): Model {
    const versions = this.models.get(name);
    const model = version === undefined ? newest(versions) : versions?.get(version);
    if (model) return model;
    const which = version === undefined ? `model ${name}` : `version ${version} of the model ${name}`;
    throw new Problem('model-not-found', `There is no ${which} here.`);
  }

  private async load(name: string, version: string): Promise<void> {
    const { modelDir, predictionTimeoutMs, modelQueueRows } = this.config;
    const folder = join(modelDir, name, version);
    try {
      const model = await Model.load(folder, { timeLimitMs: predictionTimeoutMs, maxQueued: modelQueueRows });
      if (model.name !== name || model.version !== version) {
        throw new Error(
          `${folder} holds ${model.name} ${model.version}: folders are named <model>/<version>`,
        );
      }
      this.models.set(name, (this.models.get(name) ?? new Map<string, Model>()).set(version, model));
    } catch (error) {
      // The default model's own failure is the reason that nothing starts; any other leaves the rest working.
      if (name === this.config.defaultModel) throw error;
      this.logger.error((error as Error).message);
    }
  }
}

/** By name, numbers as numbers: 2 before 10. */
async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

function newest(versions: ReadonlyMap<string, Model> | undefined): Model | undefined {
  return versions && [...versions.values()].at(-1);
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { Model } from '#libs/inference';

/**
 * The models this process answers with, loaded at boot: a lookup on the request path never loads anything. A model
 * that cannot be used stops the boot with the reason.
 */
@Injectable()
export class ModelRegistry implements OnModuleInit, OnApplicationShutdown {
  private readonly models = new Map<string, Model>();

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  async onModuleInit(): Promise<void> {
    const name = this.config.defaultModel;
    this.models.set(name, await Model.load(await this.newestVersion(name)));
  }

  async onApplicationShutdown(): Promise<void> {
    for (const model of this.models.values()) await model.release();
  }

  /** The model behind the root routes. */
  get default(): Model {
    return this.models.get(this.config.defaultModel)!;
  }

  private async newestVersion(name: string): Promise<string> {
    const folder = join(this.config.modelDir, name);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const versions = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    const newest = versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
    if (!newest) {
      throw new Error(
        `No version of the model ${name} in ${folder}. Set MODEL_DIR to the folder that holds <model>/<version>/, ` +
          `and DEFAULT_MODEL to one of its models.`,
      );
    }
    return join(folder, newest);
  }
}

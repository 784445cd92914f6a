import { Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import type { LoadOptions } from '#libs/inference';
import { DataSource, type Repository } from 'typeorm';
import { ModelPool, type HeldModel } from './model-pool.js';
import { ModelRegistry } from './model-registry.js';
import { ModelVersion } from './model-version.entity.js';
import { usable } from './version-intake.js';

/** Whether a version can be used here, and as of when it cannot. */
@Injectable()
export class VerifyVersion {
  private readonly versions: Repository<ModelVersion>;

  constructor(
    dataSource: DataSource,
    private readonly registry: ModelRegistry,
    private readonly pool: ModelPool,
  ) {
    this.versions = dataSource.getRepository(ModelVersion);
  }

  /** Loads a version and holds it against its golden values, and writes down what came of it. @throws Problem */
  async verify(name: string, version: string): Promise<void> {
    const { giveBack } = await this.load(name, version);
    await giveBack();
  }

  /** The same, and keeps it loaded until it is given back. What is loaded already is only compared with its files. */
  async load(name: string, version: string, place?: LoadOptions['place']): Promise<HeldModel> {
    const found = await this.registry.find(name, version);
    try {
      const held = await usable(async () =>
        this.pool.take(found, place, await this.registry.folderOf(found)),
      );
      if (found.state === 'failed') await this.setState(name, version, null);
      return held;
    } catch (error) {
      if (error instanceof Problem && error.code === 'artifact-not-usable') {
        await this.setState(name, version, error.message);
      }
      throw error;
    }
  }

  /** @param failure why the check failed; null if it did not */
  async setState(name: string, version: string, failure: string | null): Promise<void> {
    await this.versions.update({ name, version }, { state: failure === null ? 'ready' : 'failed', failure });
  }
}

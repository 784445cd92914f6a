import { Injectable } from '@nestjs/common';
import { Problem } from '#libs/errors';
import type { LoadOptions } from '#libs/inference';
import { ModelPool, type HeldModel } from './model-pool.js';
import { ModelRegistry } from './model-registry.js';
import { usable } from './version-intake.js';

/** Whether a version can be used here; records it if it cannot. */
@Injectable()
export class VerifyVersion {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly pool: ModelPool,
  ) {}

  /** Loads a version, compares it with its golden values, and records the result. @throws Problem */
  async verify(name: string, version: string): Promise<void> {
    const { giveBack } = await this.load(name, version);
    await giveBack();
  }

  /** The same, but keeps it loaded until it is given back. A loaded version is only compared with its files. */
  async load(name: string, version: string, place?: LoadOptions['place']): Promise<HeldModel> {
    const found = await this.registry.find(name, version);
    try {
      const held = await usable(async () =>
        this.pool.take(found, place, await this.registry.folderOf(found)),
      );
      if (found.state === 'failed') await this.registry.setState(name, version, null);
      return held;
    } catch (error) {
      if (error instanceof Problem && error.code === 'artifact-not-usable') {
        await this.registry.setState(name, version, error.message);
      }
      throw error;
    }
  }
}

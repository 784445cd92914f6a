import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { Origin } from './alias-history.js';
import { PRODUCTION } from './model-reference.js';
import { ModelRegistry } from './model-registry.js';
import { PromoteVersion, type Promotion } from './promote-version.js';
import { VersionIntake, type Kept } from './version-intake.js';

export interface Registration extends Kept {
  /** The promotion of the first version of a model. */
  promotion?: Promotion;
}

/**
 * Registers versions, each checked here before it is recorded and never changed.
 * The first version of a model goes into production.
 */
@Injectable()
export class RegisterVersion {
  constructor(
    private readonly intake: VersionIntake,
    private readonly registry: ModelRegistry,
    private readonly promotion: PromoteVersion,
  ) {}

  /**
   * Checks the artifact in `folder`, stores its files and records it; repeating it with the same content has no effect.
   * @throws Problem `artifact-not-usable`, `model-version-exists`
   */
  async register(folder: string, origin: Origin): Promise<Registration> {
    return this.promoteIfFirst(await this.intake.keep(folder, origin), origin);
  }

  /** The same for an archive that is being uploaded. @throws Problem as `VersionIntake.keepUpload` */
  async registerUpload(upload: Readable, origin: Origin, name: string): Promise<Registration> {
    return this.promoteIfFirst(await this.intake.keepUpload(upload, origin, name), origin);
  }

  /** Registers what is in `MODEL_DIR` and is not known yet. @returns as `VersionIntake.keepFound` */
  async registerFound(): ReturnType<VersionIntake['keepFound']> {
    const found = await this.intake.keepFound();
    await this.promotion.promoteFirst({ from: 'MODEL_DIR' });
    return found;
  }

  private async promoteIfFirst(kept: Kept, origin: Origin): Promise<Registration> {
    const { name, version } = kept.version;
    const { history } = await this.registry.show(name);
    if (history.some(({ alias }) => alias === PRODUCTION)) return kept;
    return {
      ...kept,
      promotion: await this.promotion.promote({ name, alias: PRODUCTION, version }, origin),
    };
  }
}

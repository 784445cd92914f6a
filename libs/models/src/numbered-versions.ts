import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { isUnavailable } from '#libs/database';
import { Problem } from '#libs/errors';
import type { Model } from '#libs/inference';
import { keyOf } from './artifacts/stored-artifact.js';
import { ModelPool, type HeldModel } from './model-pool.js';
import { ModelRegistry } from './model-registry.js';

const MAX_KEPT = 8;
const RETRY_AFTER_MS = 30_000;

/** Loaded versions that no alias stands for and that were requested by number: those that were used last. */
@Injectable()
export class NumberedVersions implements OnApplicationShutdown {
  private readonly logger = new Logger(NumberedVersions.name);
  private readonly kept = new LRUCache<string, Promise<HeldModel>>({
    max: MAX_KEPT,
    // A caller that received it in this turn of the event loop uses it before the turn ends.
    dispose: (held) => void held.then(({ giveBack }) => setImmediate(giveBack)).catch(() => undefined),
  });

  constructor(
    private readonly pool: ModelPool,
    private readonly registry: ModelRegistry,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    const held = await Promise.allSettled(this.kept.values());
    await Promise.all(held.map((each) => each.status === 'fulfilled' && each.value.giveBack()));
  }

  /** @throws Problem `model-not-found` if it is not registered, or cannot be loaded here */
  async get(name: string, version: string): Promise<Model> {
    const key = keyOf({ name, version });
    const held = this.kept.get(key) ?? this.load(key, name, version);
    const { model } = await held;
    // Calls that are asking it now are refused; the next one loads it again.
    if (model.hasEnded && this.forget(key, held)) {
      this.logger.error(`${name} ${version} is loaded again when it is asked again: ${model.endReason}`);
    }
    return model;
  }

  private load(key: string, name: string, version: string): Promise<HeldModel> {
    const held = this.take(name, version).catch((error: Error) => {
      if (error instanceof Problem || isUnavailable(error)) {
        this.forget(key, held);
        throw error;
      }
      // If every request loaded it again, anyone who asks could cause that work.
      setTimeout(() => this.forget(key, held), RETRY_AFTER_MS).unref();
      this.logger.error(error.message);
      throw new Problem('model-not-found', `Version ${version} of model '${name}' cannot be loaded here.`);
    });
    this.kept.set(key, held);
    return held;
  }

  private async take(name: string, version: string): Promise<HeldModel> {
    return this.pool.take(await this.registry.find(name, version));
  }

  private forget(key: string, held: Promise<HeldModel>): boolean {
    return this.kept.peek(key) === held && this.kept.delete(key);
  }
}

import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { createArtifactStore } from './artifact-store.js';
import { ModelRegistry } from './model-registry.js';
import { ServedModels } from './served-models.js';
import { ARTIFACT_STORE } from './stored-artifact.js';

/** The registry alone, for processes that answer no predictions. */
@Module({
  providers: [{ provide: ARTIFACT_STORE, useFactory: createArtifactStore, inject: [CONFIG] }, ModelRegistry],
  exports: [ModelRegistry],
})
export class ModelsModule {}

/** With the models loaded, for processes that answer. */
@Module({ imports: [ModelsModule], providers: [ServedModels], exports: [ServedModels] })
export class ServedModelsModule {}

import { Module } from '@nestjs/common';
import { CONFIG } from '#libs/config';
import { AliasHistory } from './alias-history.js';
import { createArtifactStore } from './artifacts/artifact-store.js';
import { ARTIFACT_STORE } from './artifacts/stored-artifact.js';
import { ModelAlias } from './model-alias.entity.js';
import { ModelRegistry } from './model-registry.js';
import { ModelVersion } from './model-version.entity.js';
import { ServedModels } from './served-models.js';
import { ServingProcess } from './serving-process.entity.js';
import { ServingProcesses } from './serving-processes.js';
import { VersionIntake } from './version-intake.js';

export const modelEntities = [ModelVersion, ModelAlias, ServingProcess];

/** The registry alone, for processes that answer no predictions. */
@Module({
  providers: [
    { provide: ARTIFACT_STORE, useFactory: createArtifactStore, inject: [CONFIG] },
    AliasHistory,
    ServingProcesses,
    VersionIntake,
    ModelRegistry,
  ],
  exports: [ModelRegistry, VersionIntake, AliasHistory, ServingProcesses],
})
export class ModelsModule {}

/** With the models loaded, for processes that answer. */
@Module({ imports: [ModelsModule], providers: [ServedModels], exports: [ServedModels] })
export class ServedModelsModule {}

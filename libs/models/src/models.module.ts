import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '#libs/config';
import { AliasHistory } from './alias-history.js';
import { createArtifactStore } from './artifacts/artifact-store.js';
import { ARTIFACT_STORE, type ArtifactStore } from './artifacts/stored-artifact.js';
import { FollowedAliases } from './followed-aliases.js';
import { ModelAlias } from './model-alias.entity.js';
import { ModelPool } from './model-pool.js';
import { ModelRegistry } from './model-registry.js';
import { ModelVersion } from './model-version.entity.js';
import { NumberedVersions } from './numbered-versions.js';
import { PromoteVersion } from './promote-version.js';
import { RegisterVersion } from './register-version.js';
import { ServedModels } from './served-models.js';
import { ServingProcess } from './serving-process.entity.js';
import { ServingProcesses } from './serving-processes.js';
import { VerifyVersion } from './verify-version.js';
import { VersionIntake } from './version-intake.js';

export const modelEntities = [ModelVersion, ModelAlias, ServingProcess];

const VERBS = [ModelRegistry, RegisterVersion, VerifyVersion, PromoteVersion];

/** Only the registry, for processes that answer no predictions. */
@Module({
  providers: [
    { provide: ARTIFACT_STORE, useFactory: createArtifactStore, inject: [CONFIG] },
    { provide: ModelPool, useFactory: createPool, inject: [CONFIG, ARTIFACT_STORE, VersionIntake] },
    AliasHistory,
    ServingProcesses,
    VersionIntake,
    ...VERBS,
  ],
  exports: [...VERBS, ModelPool, VersionIntake, AliasHistory, ServingProcesses],
})
export class ModelsModule {}

/** With the models loaded, for processes that answer predictions. */
@Module({
  imports: [ModelsModule],
  providers: [FollowedAliases, NumberedVersions, ServedModels],
  exports: [ServedModels],
})
export class ServedModelsModule {}

function createPool(config: Config, store: ArtifactStore, intake: VersionIntake): ModelPool {
  return new ModelPool((artifact) => store.folderOf(artifact), {
    ...intake.limits,
    timeLimitMs: config.predictionTimeoutMs,
    maxQueued: config.modelQueueRows,
    // If this cannot be recorded, the next start checks it again.
    onQuick: (artifact) => void intake.rememberQuick(artifact).catch(() => undefined),
  });
}

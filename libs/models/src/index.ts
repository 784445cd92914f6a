/**
 * Models, their versions and what the aliases stand for: kept in the database (looked up in `ModelRegistry`; one class
 * for each operation on them), their files in a store (`MODEL_DIR` or a bucket), and loaded by each process
 * that answers (`ServedModels`). Called by `libs/predictions`, `libs/batches`, `apps/api` and `apps/cli`.
 */
export { modelEntities, ModelsModule, ServedModelsModule } from './models.module.js';
export { ModelRegistry, type ModelDetails } from './model-registry.js';
export { PromoteVersion, type Promotion, type SettledCanary } from './promote-version.js';
export { RegisterVersion, type Registration } from './register-version.js';
export { VerifyVersion } from './verify-version.js';
export type { Origin } from './alias-history.js';
export { ServedModels } from './served-models.js';
export {
  CANARY,
  parseAlias,
  parseModelReference,
  PRODUCTION,
  SHADOW,
  type ModelReference,
} from './model-reference.js';
export type { ModelVersion } from './model-version.entity.js';

/**
 * Models, their versions and what the aliases stand for: kept in the database (`ModelRegistry`), their files in a store
 * (`MODEL_DIR` or a bucket), and loaded by each process that answers (`ServedModels`). Called by `libs/predictions`,
 * `apps/api` and `apps/cli`.
 */
export { modelEntities, ModelsModule, ServedModelsModule } from './models.module.js';
export {
  ModelRegistry,
  type ModelDetails,
  type Promotion,
  type Registration,
  type SettledCanary,
} from './model-registry.js';
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

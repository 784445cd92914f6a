/**
 * Which models are served, and in which version. It finds and loads artifacts; how they answer is `libs/inference`.
 * Called by `libs/predictions`, and by `apps/api` for health and documentation.
 */
export { ModelsModule } from './models.module.js';
export { ModelRegistry } from './model-registry.js';
export { unpackArchive } from './artifact-archive.js';

/**
 * Files and folders that get their name when they are complete: readers see all of one or nothing, also after a power
 * failure. It knows nothing of what is in them. Called by `libs/scoring`, `libs/models` and `libs/batches`.
 */
export { isDiskFull, nameDraft, sync } from './durable-files.js';

/**
 * Files and folders that get their name when they are complete: readers see all of one or nothing, even after a power
 * failure. It does not depend on their contents. Called by `libs/scoring`, `libs/models` and `libs/batches`.
 */
export { isDiskFull, nameDraft, sync } from './durable-files.js';

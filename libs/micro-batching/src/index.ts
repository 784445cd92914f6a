/**
 * The one batching primitive: many small calls share one expensive step (an inference run, a database commit).
 * It depends on neither; `libs/inference` and `libs/audit` are its callers.
 */
export { MicroBatcher, QueueFull, type MicroBatcherOptions } from './micro-batcher.js';

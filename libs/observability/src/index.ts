/**
 * Structured logs: one JSON line an event, secrets redacted. Nest's own messages pass through the same logger.
 */
export { createLogger, NestLogger, type Logger } from './logger.js';

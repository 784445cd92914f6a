/**
 * How a process is seen from outside. Structured logs: one JSON line per event, secrets redacted; Nest's own messages
 * pass through the same logger. Metrics: plain instruments that every feature may hold, and `Metrics`, which reports
 * their values in Prometheus' format; `apps/api` gives each its name. Traces: spans, if they are requested.
 */
export { createLogger, NestLogger, type Logger } from './logger.js';
export { Counter, countersBy, Histogram, Labelled } from './instruments.js';
export { traced, Tracing, type Span, type TracingOptions } from './tracing.js';
export { growthOf, Metrics, textOf, type Reading, type Snapshot } from './metrics.js';

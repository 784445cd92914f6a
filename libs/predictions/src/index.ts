/**
 * One prediction, from features to a recorded answer. Every dialect enters and leaves here; what surrounds a
 * prediction is written once, in `PredictionsService`. It knows no HTTP. Called by `apps/api`.
 */
export { PredictionsModule } from './predictions.module.js';
export { PredictionsService, type PredictionCall } from './predictions.service.js';
export type { Dialect, Question } from './dialects/dialect.js';
export { namedDialect } from './dialects/named.dialect.js';
export { plainDialect } from './dialects/plain.dialect.js';

/**
 * One prediction, from features to a recorded answer. Every dialect enters and leaves here; what surrounds a
 * prediction is written once, in `PredictionsService`; `ModelComparison` sets versions beside one another by what was
 * recorded. It knows no HTTP. Called by `apps/api` and, for comparing, by `apps/cli`.
 */
export { ComparisonModule, PredictionsModule } from './predictions.module.js';
export { CallFigures, type VersionCalls } from './call-figures.js';
export { PredictionsService, type PredictionCall } from './predictions.service.js';
export { type Dialect, type Question, type RequestHeaders } from './dialects/dialect.js';
export { problemFormAt } from './dialects/index.js';
export { mlflowDialect } from './dialects/mlflow/mlflow.dialect.js';
export { namedDialect } from './dialects/named/named.dialect.js';
export { oipConfiguration } from './dialects/oip/configuration.js';
export { OIP_EXTENSIONS, oipDialect, oipMetadata } from './dialects/oip/oip.dialect.js';
export { plainDialect } from './dialects/plain/plain.dialect.js';
export { ModelComparison, type Comparison, type Differences, type Replay } from './model-comparison.js';

/**
 * One prediction, from features to a recorded answer. Every dialect enters and leaves here; what surrounds a
 * prediction is written once, in `PredictionsService`; `ModelComparison` compares versions by what was
 * recorded. It does not depend on HTTP. Called by `apps/api` and, for comparing, by `apps/cli`.
 */
export { ComparisonModule, PredictionsModule } from './predictions.module.js';
export { CallFigures, type VersionCalls } from './call-figures.js';
export type { PredictionCall } from './prediction-call.js';
export { PredictionsService } from './predictions.service.js';
export type { Dialect } from './dialects/dialect.js';
export { dialects, otherSpellings, problemFormAt } from './dialects/index.js';
export { mlflowDialect } from './dialects/mlflow/mlflow.dialect.js';
export { oipDialect } from './dialects/oip/oip.dialect.js';
export { oipConfiguration, type OipConfiguration } from './dialects/oip/configuration.js';
export { OIP_EXTENSIONS, oipMetadata, type OipMetadata } from './dialects/oip/metadata.js';
export type { Addressed, PredictionRoute } from './dialects/route.js';
export { EXAMPLE_REQUEST_ID, exampleAnswer } from './example-answer.js';
export { exampleOf, featuresSchema } from './features-schema.js';
export { ModelComparison, type Comparison, type Differences, type Replay } from './model-comparison.js';

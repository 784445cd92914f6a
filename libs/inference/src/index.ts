/**
 * Models that answer: an artifact folder becomes a `Model` that coerces one feature dictionary to one row, runs
 * rows in micro-batches on ONNX Runtime, on the event loop or in a process of its own, and was checked against the
 * training framework's own answers before it was handed out. It needs neither Nest, a database nor a feature; it runs
 * in a ten-line script and in a worker thread.
 */
export {
  Model,
  TimeLimitExceeded,
  TooManyRows,
  type InferenceCall,
  type LoadOptions,
  type RunObserver,
} from './model.js';
export { CHECKER } from './checker.js';
export { ModelEnded, ModelProcess, type ProcessLimits } from './model-process.js';
export { ARTIFACT_FILES, ArtifactError, hashArtifact, readArtifact, type Artifact } from './artifact.js';
export type { Manifest } from './artifact-schemas.js';
export { type Column, type ColumnType } from './input-schema.js';
export {
  compileColumns,
  Mistake,
  requiredNames,
  type Coerced,
  type ColumnCoercion,
  type Features,
} from './coercion.js';
export type { ClassPrediction, ElementType, InputTensor, Prediction, Row, ValuePrediction } from './row.js';
export { MISSING_VALUES } from './missing-values.js';
export { readDecimal } from './decimal-bytes.js';
export { formatFloat32, formatNumber, MAX_FLOAT32_BYTES, writeFloat32 } from './float32.js';
export { Session } from './session.js';
export type { InputRows, Outputs } from './tensors.js';

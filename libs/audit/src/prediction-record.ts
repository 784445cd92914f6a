/** One prediction as it is written down. */
export interface PredictionRecord {
  userId: number;
  requestUuid: string;
  model: string;
  modelVersion: string;
  dialect: string;
  /** The input as JSON text; `'null'` where the body was not JSON. */
  input: string;
  /** Null where the body could not be read. */
  rowCount: number | null;
  ignoredColumns: readonly string[];
  statusCode: number;
  /** The body of the answer as JSON text, exactly as it is sent. */
  output: string;
  durationMs: number;
}

/**
 * The record as one JSON object. `input` and `output` are JSON texts already and are set in as they are, so that a
 * batch is one parameter that was serialised once.
 */
export function toJson(record: PredictionRecord): string {
  return (
    `{"user_id":${record.userId},"request_uuid":${JSON.stringify(record.requestUuid)},` +
    `"model":${JSON.stringify(record.model)},"model_version":${JSON.stringify(record.modelVersion)},` +
    `"dialect":${JSON.stringify(record.dialect)},"input":${storable(record.input)},"row_count":${record.rowCount},` +
    `"ignored_columns":${storable(JSON.stringify(record.ignoredColumns))},"status_code":${record.statusCode},` +
    `"output":${storable(record.output)},"duration_ms":${record.durationMs.toFixed(3)}}`
  );
}

/**
 * PostgreSQL's jsonb has no NUL and no lone surrogate; JSON has. Both become U+FFFD, the replacement character. The
 * test is wide (it also meets an escaped backslash before `u0000`); what it meets is parsed and decided exactly.
 */
function storable(json: string): string {
  return /\\u(?:0000|d[89a-f])/i.test(json) ? JSON.stringify(cleaned(JSON.parse(json))) : json;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\0', '\uFFFD');
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [cleaned(key), cleaned(inner)]));
}

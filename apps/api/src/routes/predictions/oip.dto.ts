import { BOOLEAN, COUNT, INTEGER, list, named, record, STRING } from '../../openapi/schemas.js';

const TENSORS = list(record({ name: STRING, datatype: STRING, shape: list(INTEGER) }));
export const SERVER = named(
  'ServerMetadata',
  record({ name: STRING, version: STRING, extensions: list(STRING) }),
);
export const METADATA = named(
  'ModelMetadata',
  record({
    name: STRING,
    versions: list(STRING),
    platform: STRING,
    inputs: TENSORS,
    outputs: TENSORS,
  }),
);
const DIMENSIONS = list(INTEGER);
const CONFIGURED = list(
  record({ name: STRING, data_type: STRING, dims: DIMENSIONS }, { reshape: record({ shape: DIMENSIONS }) }),
);
export const CONFIGURATION = named(
  'ModelConfiguration',
  record({
    name: STRING,
    platform: STRING,
    backend: STRING,
    max_batch_size: COUNT,
    input: CONFIGURED,
    output: CONFIGURED,
    dynamic_batching: record({}),
    model_transaction_policy: record({ decoupled: BOOLEAN }),
    response_cache: record({ enable: BOOLEAN }),
  }),
);
const DURATION = named('OipDuration', record({ count: COUNT, ns: COUNT }));
export const STATISTICS = named(
  'ModelStatistics',
  record({
    model_stats: list(
      record({
        name: STRING,
        version: STRING,
        last_inference: COUNT,
        inference_count: COUNT,
        execution_count: COUNT,
        inference_stats: record({
          success: DURATION,
          fail: DURATION,
          queue: DURATION,
          compute_input: DURATION,
          compute_infer: DURATION,
          compute_output: DURATION,
          cache_hit: DURATION,
          cache_miss: DURATION,
        }),
      }),
    ),
  }),
);
export const LIVE = named('ServerLive', record({ live: BOOLEAN }));
export const READY = named('ServerReady', record({ ready: BOOLEAN }));
export const MODEL_READY = named('ModelReady', record({ name: STRING, ready: BOOLEAN }));

export interface ServerMetadata {
  name: string;
  version: string;
  extensions: string[];
}

export type ServerLive = { live: boolean };
export type ServerReady = { ready: boolean };
export type ModelReady = { name: string } & ServerReady;

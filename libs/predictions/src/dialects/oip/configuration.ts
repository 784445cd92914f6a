import type { Model } from '#libs/inference';
import { MAX_ROWS } from '../row-limits.js';
import { DATATYPE_OF } from './datatypes.js';
import { outputsOf } from './outputs.js';

export type OipConfiguration = ReturnType<typeof oipConfiguration>;

/**
 * What Triton calls a model's configuration: those of its many members that apply here, including all that its
 * perf_analyzer reads.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_configuration.md
 */
export function oipConfiguration({ name, inputs, manifest, maxRows }: Model) {
  return {
    name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    max_batch_size: Math.min(maxRows, MAX_ROWS),
    input: inputs.map(({ name, elementType, shape }) => describe(name, DATATYPE_OF[elementType], shape)),
    output: outputsOf(manifest).map(({ name, datatype, shape }) => describe(name, datatype, shape)),
    // Rows that wait together share a run.
    dynamic_batching: {},
    model_transaction_policy: { decoupled: false },
    response_cache: { enable: false },
  };
}

/** Its dimensions are given without the number of rows; a tensor without others has one dimension of size 1. */
function describe(name: string, datatype: string, [, ...dims]: readonly number[]) {
  const data_type = `TYPE_${datatype === 'BYTES' ? 'STRING' : datatype}`;
  return dims.length > 0 ? { name, data_type, dims } : { name, data_type, dims: [1], reshape: { shape: [] } };
}

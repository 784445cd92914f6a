import type { Model } from '#libs/inference';
import { DATATYPE_OF } from './datatypes.js';
import { outputsOf } from './outputs.js';

/** Those of Triton's extensions that are here, by Triton's names. */
export const OIP_EXTENSIONS = ['classification', 'model_configuration', 'statistics'];

export type OipMetadata = ReturnType<typeof oipMetadata>;

/** What a model takes and answers, as the protocol says it: tensors without their values; −1 is the number of rows. */
export function oipMetadata({ name, inputs, manifest }: Model, versions: readonly string[]) {
  return {
    name,
    versions,
    platform: 'onnx_onnxv1',
    inputs: inputs.map(({ name, elementType, shape }) => ({
      name,
      datatype: DATATYPE_OF[elementType],
      shape,
    })),
    outputs: outputsOf(manifest),
  };
}

import type { Model } from '#libs/inference';
import { DATATYPE_OF } from './datatypes.js';
import { outputsOf } from './outputs.js';

/** The supported ones of Triton's extensions, by Triton's names. */
export const OIP_EXTENSIONS = ['classification', 'model_configuration', 'statistics'];

export type OipMetadata = ReturnType<typeof oipMetadata>;

/** What a model takes and answers, in the protocol's form: tensors without their values; −1 is the number of rows. */
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

import type { Model } from '#libs/inference';
import { DATATYPE_OF } from './datatypes.js';
import { outputsOf } from './outputs.js';

/** Those of Triton's extensions that are here, by Triton's names. */
export const OIP_EXTENSIONS = ['classification', 'model_configuration', 'statistics'];

/** A tensor without its values; −1 is the number of rows. */
interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface OipMetadata {
  name: string;
  versions: readonly string[];
  platform: string;
  inputs: TensorMetadata[];
  outputs: TensorMetadata[];
}

/** What a model takes and answers, as the protocol says it. */
export function oipMetadata({ name, inputs, manifest }: Model, versions: readonly string[]): OipMetadata {
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

import { parseModelReference, type ModelReference } from '#libs/models';

/** A path where a dialect answers predictions. */
export interface PredictionRoute {
  /** With its parameters as `:name`. */
  readonly path: string;
  /** In the API document; the model's name is added if each model is described separately. */
  readonly operationId: string;
  readonly summary: string;
  readonly queryParameters?: readonly { readonly name: string; readonly example: string }[];
  /** Which model a call asks; undefined is the default model. @throws Problem */
  modelOf(call: Addressed): ModelReference | undefined;
}

/** The variable parts of a URL. */
export interface Addressed {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | string[] | undefined>>;
}

export const defaultModel: PredictionRoute['modelOf'] = () => undefined;

/** For `…/:name/…`. */
export const servedModel: PredictionRoute['modelOf'] = ({ params }) => parseModelReference(params.name!);

/** For `…/:name/versions/:version/…`. */
export const modelVersion: PredictionRoute['modelOf'] = ({ params }) => ({
  name: params.name!,
  version: params.version!,
});

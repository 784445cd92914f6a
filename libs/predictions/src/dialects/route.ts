import { parseModelReference, type ModelReference } from '#libs/models';

/** Where a dialect is asked. */
export interface PredictionRoute {
  /** With its parameters as `:name`. */
  readonly path: string;
  /** In the API document; where models are described one by one, what they are called is added. */
  readonly operationId: string;
  readonly summary: string;
  readonly queryParameters?: readonly { readonly name: string; readonly example: string }[];
  /** Which model a call is for; undefined is the default one. @throws Problem */
  modelOf(call: Addressed): ModelReference | undefined;
}

/** What a URL says besides its path's fixed parts. */
export interface Addressed {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | string[] | undefined>>;
}

export const defaultModel: PredictionRoute['modelOf'] = () => undefined;

/** The name in `…/:name/…`. */
export const servedModel: PredictionRoute['modelOf'] = ({ params }) => parseModelReference(params.name!);

/** The version in `…/:name/versions/:version/…`. */
export const modelVersion: PredictionRoute['modelOf'] = ({ params }) => ({
  name: params.name!,
  version: params.version!,
});

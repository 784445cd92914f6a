import type { OpenAPIObject } from '@nestjs/swagger';
import type { Model } from '#libs/inference';
import type { ServedModels } from '#libs/models';
import { exampleOf, FEATURES_SCHEMA, featuresSchema } from './features-schema.js';
import { list, refersTo, type Schema } from './schemas.js';

/** The paths that are described once for each model, with what each is then called. */
const TEMPLATES = [
  {
    template: '/models/{name}/predict',
    described: ({ inProduction }: ServedModels) => inProduction,
    pathOf: ({ name }: Model) => `/models/${name}/predict`,
    operationIdOf: ({ name }: Model) => `predict${identifier(name)}`,
  },
  {
    template: '/models/{name}/versions/{version}/predict',
    described: ({ all }: ServedModels) => all,
    pathOf: ({ name, version }: Model) => `/models/${name}/versions/${version}/predict`,
    operationIdOf: ({ name, version }: Model) => `predict${identifier(name)}Version${identifier(version)}`,
  },
];

/** Puts the loaded models' input schemas and examples into the document: a path of its own for each. */
export function describeModels(document: OpenAPIObject, models: ServedModels): OpenAPIObject {
  const schemas = document.components!.schemas as Record<string, Schema>;
  schemas[FEATURES_SCHEMA] = featuresSchema(models.default?.columns ?? []);
  giveExamples(document, models.default);
  const features = new Map<Model, Schema>();
  const featuresOf = (model: Model): Schema => {
    let found = features.get(model);
    if (found) return found;
    const name = unclaimed(`${FEATURES_SCHEMA}-${model.name}-${model.version}`, (each) => each in schemas);
    schemas[name] = featuresSchema(model.columns);
    features.set(model, (found = refersTo(name)));
    return found;
  };
  const operationIds = new Set<string>();
  for (const { template, described, pathOf, operationIdOf } of TEMPLATES) {
    const { post } = document.paths[template]!;
    delete document.paths[template];
    for (const model of described(models)) {
      const operationId = unclaimed(operationIdOf(model), (each) => operationIds.has(each));
      operationIds.add(operationId);
      const instances = {
        type: 'object',
        required: ['instances'],
        properties: { instances: list(featuresOf(model)) },
      };
      document.paths[pathOf(model)] = {
        post: {
          ...post!,
          operationId,
          parameters: post!.parameters!.filter((each) => !('in' in each && each.in === 'path')),
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: { anyOf: [featuresOf(model), instances] },
                example: exampleOf(model.columns),
              },
            },
          },
        },
      };
    }
  }
  return document;
}

/** heart-failure → HeartFailure, 1.0 → 1_0 */
function identifier(name: string): string {
  return name
    .replaceAll(/(?:^|[-._]+)([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replaceAll(/[^A-Za-z0-9]/g, '_');
}

/** Names that became the same are told apart by a number. */
function unclaimed(name: string, isTaken: (name: string) => boolean): string {
  let free = name;
  for (let number = 2; isTaken(free); number++) free = `${name}_${number}`;
  return free;
}

/** For the protocols whose bodies hold a model’s columns in a form of their own. */
function giveExamples({ paths }: OpenAPIObject, model: Model | undefined): void {
  if (!model) return;
  const mlflow = { dataframe_records: [exampleOf(model.columns)] };
  const inputs = Object.entries(exampleOf(model.columns)).map(([name, value]: [string, unknown]) => ({
    name,
    shape: [1],
    datatype: typeof value === 'string' ? 'BYTES' : 'FP64',
    data: [typeof value === 'boolean' ? Number(value) : value],
  }));
  for (const [path, { post }] of Object.entries(paths)) {
    const example = path.endsWith('/invocations') ? mlflow : path.endsWith('/infer') ? { inputs } : undefined;
    const body = post?.requestBody as { content: Record<string, { example?: object }> } | undefined;
    if (example && body) body.content['application/json']!.example = example;
  }
}

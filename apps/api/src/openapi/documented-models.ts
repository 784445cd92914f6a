import type { OpenAPIObject } from '@nestjs/swagger';
import type { Model } from '#libs/inference';
import type { ServedModels } from '#libs/models';
import { dialects, exampleAnswer, exampleOf, featuresSchema, type Dialect } from '#libs/predictions';
import { describeGroups, groupOf } from './groups.js';
import { refersTo, type Schema } from './schemas.js';

type Post = NonNullable<OpenAPIObject['paths'][string]['post']>;

const FEATURES = 'Features';

/**
 * Puts what the loaded models take and answer into the document: into each dialect's routes, and if it is
 * different for each model, into a separate path for each.
 */
export async function describeModels(document: OpenAPIObject, models: ServedModels): Promise<OpenAPIObject> {
  const schemas = document.components!.schemas as Record<string, Schema>;
  schemas[FEATURES] = featuresSchema(models.default?.columns ?? []);
  /** Without a model there can be no examples. */
  const describe = async (post: Post, dialect: Dialect, features: Schema, model?: Model): Promise<Post> => {
    const content: Record<string, object> = {};
    const bodies = dialect.document.bodies(features, model?.columns ?? []);
    for (const [type, { name, schema, example }] of Object.entries(bodies)) {
      if (name !== undefined) schemas[name] = schema;
      content[type] = { schema: name === undefined ? schema : refersTo(name), ...(model && { example }) };
    }
    const described = { ...post, requestBody: { required: true, content } };
    if (!model) return described;
    const { answer, answerOf } = dialect.document;
    if (answerOf) schemas[answer.name] = answerOf(model.manifest.task);
    const { example: body = exampleOf(model.columns) } = bodies['application/json']!;
    const example = await exampleAnswer(dialect, body, model);
    return { ...described, responses: withExample(post.responses, example) };
  };
  const features = new Map<Model, Schema>();
  const featuresOf = (model: Model): Schema => {
    let found = features.get(model);
    if (found) return found;
    const name = unclaimed(`${FEATURES}-${model.name}-${model.version}`, (each) => each in schemas);
    schemas[name] = featuresSchema(model.columns);
    features.set(model, (found = refersTo(name)));
    return found;
  };
  const operationIds = new Set<string>();
  for (const dialect of dialects) {
    for (const route of dialect.routes) {
      const template = `/${route.path.replaceAll(/:(\w+)/g, '{$1}')}`;
      const post = document.paths[template]!.post!;
      if (dialect.document.group) {
        document.paths[template]!.post = await describe(post, dialect, refersTo(FEATURES), models.default);
        continue;
      }
      delete document.paths[template];
      const isOfVersion = route.path.includes(':version');
      for (const model of isOfVersion ? models.all : models.inProduction) {
        const version = isOfVersion ? `Version${identifier(model.version)}` : '';
        const operationId = unclaimed(`${route.operationId}${identifier(model.name)}${version}`, (each) =>
          operationIds.has(each),
        );
        operationIds.add(operationId);
        const path = template.replace('{name}', model.name).replace('{version}', model.version);
        document.paths[path] = {
          post: {
            ...(await describe(post, dialect, featuresOf(model), model)),
            operationId,
            summary: `Predict with ${model.name}${isOfVersion ? `, version ${model.version}` : ''}`,
            tags: [groupOf(model)],
            parameters: post.parameters!.filter((each) => !('in' in each && each.in === 'path')),
          },
        };
      }
    }
  }
  describeGroups(document, models.all);
  return document;
}

function withExample(responses: Post['responses'], example: unknown): Post['responses'] {
  if (example === undefined) return responses;
  const ok = responses['200'] as { description: string; content: Record<string, object> };
  const content = { 'application/json': { ...ok.content['application/json'], example } };
  return { ...responses, 200: { ...ok, content } };
}

/** heart-failure → HeartFailure, 1.0 → 1_0 */
function identifier(name: string): string {
  return name
    .replaceAll(/(?:^|[-._]+)([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replaceAll(/[^A-Za-z0-9]/g, '_');
}

/** Names that became the same get a number to distinguish them. */
function unclaimed(name: string, isTaken: (name: string) => boolean): string {
  let free = name;
  for (let number = 2; isTaken(free); number++) free = `${name}_${number}`;
  return free;
}

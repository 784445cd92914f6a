import fastifyExpress from '@fastify/express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import swaggerUi from 'swagger-ui-express';
import type { Config } from '#libs/config';
import type { Model } from '#libs/inference';
import { ServedModels } from '#libs/models';
import { describeRefusals } from './documented-refusals.js';
import { exampleOf, FEATURES_SCHEMA, featuresSchema } from '../predictions/predictions.dto.js';

/**
 * The OpenAPI document at `<DOCS_PATH>-json` and its page at `<DOCS_PATH>`. The page is Express middleware: it gets
 * an encapsulated plugin of its own, so that no other route passes through Express.
 */
export async function serveDocumentation(api: NestFastifyApplication, config: Config): Promise<void> {
  if (!config.docsEnabled) return;
  // The models are loaded by `init`, and what they take is part of the document.
  await api.init();
  const document = SwaggerModule.createDocument(
    api,
    new DocumentBuilder()
      .setTitle('Foretell')
      .setDescription(
        'Register, fetch a token with `POST /token`, press "Authorize" and paste it, then predict.',
      )
      .setVersion('1')
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
      .build(),
  );
  describeRefusals(document);
  const models = api.get(ServedModels);
  // Models come and go while we serve: what they take is put in when somebody looks.
  const current = () => describeModels(structuredClone(document), models);

  const fastify = api.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  fastify.get(`${config.docsPath}-json`, (_request, reply) => reply.send(current()));
  await fastify.register(async (page) => {
    await page.register(fastifyExpress);
    page.express.disable('x-powered-by');
    page.use(config.docsPath, swaggerUi.serve);
    // The page itself is ours to send: what Express sends as HTML leaves through Fastify as plain text.
    const html = () => swaggerUi.generateHTML(current(), { customSiteTitle: 'Foretell' });
    page.get(`${config.docsPath}/`, (_request, reply) => reply.type('text/html; charset=utf-8').send(html()));
    // Routes for the middleware to stand before: what it does not answer is not there.
    for (const path of ['', '/*']) {
      page.get(config.docsPath + path, (_request, reply) => reply.callNotFound());
    }
  });
}

/** Puts the loaded models' input schemas and examples into the document: a path of its own for each. */
function describeModels(document: OpenAPIObject, models: ServedModels): OpenAPIObject {
  const schemas = document.components!.schemas!;
  schemas[FEATURES_SCHEMA] = featuresSchema(models.default?.columns ?? []);
  giveExamples(document, models.default);
  const paths: [string, readonly Model[], (model: Model) => string][] = [
    ['/models/{name}/predict', models.inProduction, ({ name }) => `/models/${name}/predict`],
    [
      '/models/{name}/versions/{version}/predict',
      models.all,
      ({ name, version }) => `/models/${name}/versions/${version}/predict`,
    ],
  ];
  for (const [template, described, pathOf] of paths) {
    const { post } = document.paths[template]!;
    delete document.paths[template];
    for (const model of described) {
      const features = `${FEATURES_SCHEMA}-${model.name}-${model.version}`;
      schemas[features] = featuresSchema(model.columns);
      const reference = { $ref: `#/components/schemas/${features}` };
      const instances = { type: 'object', properties: { instances: { type: 'array', items: reference } } };
      document.paths[pathOf(model)] = {
        post: {
          ...post!,
          operationId: `${post!.operationId}_${model.name}_${model.version}`,
          parameters: [],
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: { anyOf: [reference, instances] },
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

/** Of the protocols whose bodies hold a model's columns in a form of their own. */
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

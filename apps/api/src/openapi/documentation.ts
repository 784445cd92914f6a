import fastifyExpress from '@fastify/express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import swaggerUi from 'swagger-ui-express';
import type { Config } from '#libs/config';
import { ServedModels } from '#libs/models';
import { describeModels } from './documented-models.js';
import { describeRefusals, operationsOf } from './refusals.js';
import { PAGE_HEADERS, pageOptions } from './page.js';
import { NAMED_SCHEMAS } from './schemas.js';
import { VERSION } from '../version.js';

const BEARER = 'bearer';

/**
 * The OpenAPI document at `<DOCS_PATH>-json` and its page at `<DOCS_PATH>`. The page is Express middleware: it gets
 * an encapsulated plugin of its own, so that no other route passes through Express.
 */
export async function serveDocumentation(
  api: NestFastifyApplication,
  config: Config,
  securityHeaders: Readonly<Record<string, string>>,
): Promise<void> {
  if (!config.docsEnabled) return;
  // `init` loads the models, and what they take is part of the document.
  await api.init();
  const document = SwaggerModule.createDocument(
    api,
    new DocumentBuilder()
      .setOpenAPIVersion('3.1.0')
      .setTitle('Foretell')
      .setDescription(
        'Serves predictions from ONNX models and records every answer.\n\n' +
          '1. Register with `POST /register-user`, or ask an admin for an account.\n' +
          '2. Get a token with `POST /token`. Press **Authorize** and paste it.\n' +
          '3. Open `POST /predict`, press **Try it out**, then **Execute**.',
      )
      .setVersion(VERSION)
      .addServer('/')
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, BEARER)
      .build(),
    // Methods of controllers are named so that no two share a name.
    { operationIdFactory: (_controller, method) => method, autoTagControllers: false },
  );
  for (const [, operation] of operationsOf(document)) {
    // The mark left by `@Public()`: no token is needed.
    operation.security = operation.security ? [] : [{ [BEARER]: [] }];
  }
  describeRefusals(document);
  Object.assign(document.components!.schemas!, NAMED_SCHEMAS);
  const models = api.get(ServedModels);
  // Models come and go while we serve: what they take is added on each request for the document.
  const current = () => describeModels(structuredClone(document), models);

  const fastify = api.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  fastify.get(`${config.docsPath}-json`, async (_request, reply) => reply.send(await current()));
  await fastify.register(async (page) => {
    // Express writes to Node's reply, knows nothing of Fastify's, and takes from it what our server adds.
    page.addHook('onRequest', (_request, reply, done) => {
      const headers = { ...securityHeaders, ...reply.getHeaders(), ...PAGE_HEADERS };
      for (const [name, value] of Object.entries(headers)) reply.raw.setHeader(name, value!);
      reply.headers(PAGE_HEADERS);
      done();
    });
    await page.register(fastifyExpress);
    page.express.disable('x-powered-by');
    page.use(config.docsPath, swaggerUi.serve);
    // We send the page itself: what Express sends as HTML leaves through Fastify as plain text.
    const html = swaggerUi.generateHTML(undefined, pageOptions(config.docsPath));
    page.get(`${config.docsPath}/`, (_request, reply) => reply.type('text/html; charset=utf-8').send(html));
    // Routes for the middleware to run before: what it does not answer does not exist.
    for (const path of ['', '/*']) {
      page.get(config.docsPath + path, (_request, reply) => reply.callNotFound());
    }
  });
}

import { applyDecorators, Controller, Get, HttpStatus, Inject, Param, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import type { Model } from '#libs/inference';
import { ModelRegistry, parseModelReference, ServedModels, type ModelReference } from '#libs/models';
import {
  OIP_EXTENSIONS,
  oipConfiguration,
  oipDialect,
  oipMetadata,
  PredictionsService,
} from '#libs/predictions';
import { Readiness } from '../health/readiness.js';
import { Public } from '../http/auth.guard.js';
import { Caller } from '../http/caller.decorator.js';
import { ANYTHING, BOOLEAN, INTEGER, list, record, STRING, type Schema } from '../http/schemas.js';
import { VERSION } from '../http/version.js';
import { ServiceMetrics } from '../metrics/service-metrics.js';
import { oipStatistics, versionsAsked } from './oip-statistics.js';
import { asked, Predicts, type PredictionRequest } from './predicts.js';

const Tells = (path: string, summary: string, schema: Schema) =>
  applyDecorators(
    Get(path),
    RouteConfig({ dialect: oipDialect }),
    ApiOperation({ summary }),
    ApiResponse({ status: 200, schema }),
  );

const TENSORS = list(record({ name: STRING, datatype: STRING, shape: list(INTEGER) }));
const SERVER = record({ name: STRING, version: STRING, extensions: list(STRING) });
const METADATA = record({
  name: STRING,
  versions: list(STRING),
  platform: STRING,
  inputs: TENSORS,
  outputs: TENSORS,
});
const DIMENSIONS = list(INTEGER);
const CONFIGURED = list(
  record({ name: STRING, data_type: STRING, dims: DIMENSIONS }, { reshape: record({ shape: DIMENSIONS }) }),
);
const CONFIGURATION = record({
  name: STRING,
  platform: STRING,
  backend: STRING,
  max_batch_size: INTEGER,
  input: CONFIGURED,
  output: CONFIGURED,
  dynamic_batching: record({}),
  model_transaction_policy: record({ decoupled: BOOLEAN }),
  response_cache: record({ enable: BOOLEAN }),
});
const DURATION = record({ count: INTEGER, ns: INTEGER });
const STATISTICS = record({
  model_stats: list(
    record({
      name: STRING,
      version: STRING,
      last_inference: INTEGER,
      inference_count: INTEGER,
      execution_count: INTEGER,
      inference_stats: record({
        success: DURATION,
        fail: DURATION,
        queue: DURATION,
        compute_input: DURATION,
        compute_infer: DURATION,
        compute_output: DURATION,
        cache_hit: DURATION,
        cache_miss: DURATION,
      }),
    }),
  ),
});
const LIVE = record({ live: BOOLEAN });
const READY = record({ ready: BOOLEAN });
const MODEL_READY = record({ name: STRING, ready: BOOLEAN });
const ANSWER = record(
  {
    model_name: STRING,
    model_version: STRING,
    outputs: list(record({ name: STRING, datatype: STRING, shape: list(INTEGER), data: list(ANYTHING) })),
  },
  { id: STRING },
);

const NotReady = (schema: Schema) =>
  ApiResponse({
    status: 503,
    description: 'It cannot be asked now.',
    content: { 'application/json': { schema: { anyOf: [schema, record({ error: STRING })] } } },
  });
const NoModel = () => ApiResponse({ status: 404, description: 'No such model or version.' });

const Infers = (path: string, summary: string) =>
  applyDecorators(
    Predicts(oipDialect, path, summary),
    ApiBearerAuth(),
    ApiBody({
      schema: { type: 'object', required: ['inputs'], properties: { inputs: { type: 'array', items: {} } } },
    }),
    ApiResponse({ status: 200, schema: ANSWER }),
  );

/** The Open Inference Protocol, version 2. */
@ApiTags('open inference protocol')
@Controller('v2')
export class OipController {
  constructor(
    @Inject(ServedModels) private readonly models: ServedModels,
    @Inject(ModelRegistry) private readonly registry: ModelRegistry,
    @Inject(Readiness) private readonly readiness: Readiness,
    @Inject(PredictionsService) private readonly predictions: PredictionsService,
    @Inject(ServiceMetrics) private readonly metrics: ServiceMetrics,
  ) {}

  @Tells('', 'Name and version of this service', SERVER)
  @Public()
  server(): object {
    return { name: 'foretell', version: VERSION, extensions: OIP_EXTENSIONS };
  }

  @Tells('health/live', 'The process runs', LIVE)
  @Public()
  live(): object {
    return { live: true };
  }

  @Tells('health/ready', 'The process can answer predictions and is not stopping', READY)
  @Public()
  @NotReady(READY)
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const ready = await this.readiness.isReady();
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready };
  }

  @Tells('models/:name', 'What the served version of a model takes and answers', METADATA)
  @NoModel()
  @ApiBearerAuth()
  named(@Param('name') name: string): Promise<object> {
    return this.describe(parseModelReference(name));
  }

  @Tells('models/:name/versions/:version', 'What one version of a model takes and answers', METADATA)
  @NoModel()
  @ApiBearerAuth()
  versioned(@Param('name') name: string, @Param('version') version: string): Promise<object> {
    return this.describe({ name, version });
  }

  @Tells('models/:name/config', 'What Triton’s tools want to know of a model’s served version', CONFIGURATION)
  @NoModel()
  @ApiBearerAuth()
  async namedConfiguration(@Param('name') name: string): Promise<object> {
    return oipConfiguration(await this.models.get(parseModelReference(name)));
  }

  @Tells('models/:name/versions/:version/config', 'The same of one version', CONFIGURATION)
  @NoModel()
  @ApiBearerAuth()
  async versionedConfiguration(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<object> {
    return oipConfiguration(await this.models.get({ name, version }));
  }

  @Tells('models/:name/stats', 'What a model’s versions were asked since the service started', STATISTICS)
  @NoModel()
  @ApiBearerAuth()
  async namedStatistics(@Param('name') name: string): Promise<object> {
    const served: Model = await this.models.get(parseModelReference(name));
    const snapshots = await this.metrics.snapshots();
    const versions = new Set([served.version, ...versionsAsked(snapshots, served.name)]);
    return oipStatistics(snapshots, served.name, [...versions]);
  }

  @Tells('models/:name/versions/:version/stats', 'The same of one version', STATISTICS)
  @NoModel()
  @ApiBearerAuth()
  async versionedStatistics(@Param('name') name: string, @Param('version') version: string): Promise<object> {
    const model: Model = await this.models.get({ name, version });
    return oipStatistics(await this.metrics.snapshots(), model.name, [model.version]);
  }

  @Tells('models/:name/ready', 'Whether a model can be asked', MODEL_READY)
  @ApiBearerAuth()
  @NoModel()
  @NotReady(MODEL_READY)
  namedReady(@Param('name') name: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return this.tellReady(parseModelReference(name), reply);
  }

  @Tells('models/:name/versions/:version/ready', 'Whether one version of a model can be asked', MODEL_READY)
  @ApiBearerAuth()
  @NoModel()
  @NotReady(MODEL_READY)
  versionedReady(
    @Param('name') name: string,
    @Param('version') version: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return this.tellReady({ name, version }, reply);
  }

  @Infers('models/:name/infer', 'Infer with the served version of a model')
  infer(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
  ): Promise<string> {
    return this.predictions.predict({ ...asked(request, actor), model: parseModelReference(name) });
  }

  @Infers('models/:name/versions/:version/infer', 'Infer with one version of a model')
  inferVersion(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<string> {
    return this.predictions.predict({ ...asked(request, actor), model: { name, version } });
  }

  private async describe(reference: ModelReference): Promise<object> {
    const model: Model = await this.models.get(reference);
    return oipMetadata(model, await this.registry.versionsOf(model.name));
  }

  private async tellReady(reference: ModelReference, reply: FastifyReply): Promise<object> {
    const ready = await this.isServed(reference);
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { name: reference.name, ready };
  }

  /** @throws Problem `model-not-found` for what was never registered */
  private async isServed(reference: ModelReference): Promise<boolean> {
    try {
      await this.models.get(reference);
      return true;
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'model-not-found') throw error;
      const versions = await this.registry.versionsOf(reference.name);
      const isRegistered =
        'version' in reference ? versions.includes(reference.version) : versions.length > 0;
      if (!isRegistered) throw error;
      return false;
    }
  }
}

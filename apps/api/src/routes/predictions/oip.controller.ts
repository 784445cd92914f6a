import { applyDecorators, Controller, Get, HttpStatus, Inject, Param, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
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
import { Public } from '../../guards/auth.guard.js';
import { Caller } from '../../guards/caller.decorator.js';
import {
  ANYTHING,
  BOOLEAN,
  COUNT,
  INTEGER,
  list,
  named,
  record,
  refersTo,
  STRING,
  type Schema,
} from '../../openapi/schemas.js';
import { VERSION } from '../../version.js';
import { ServiceMetrics } from '../metrics/service-metrics.js';
import { oipStatistics, versionsAsked } from './oip-statistics.js';
import { asked, Predicts, type PredictionRequest } from './predicts.js';

const Tells = (path: string, summary: string, schema: Schema) =>
  applyDecorators(Get(path), ApiOperation({ summary }), ApiResponse({ status: 200, schema }));

const TENSORS = list(record({ name: STRING, datatype: STRING, shape: list(INTEGER) }));
const SERVER = named('ServerMetadata', record({ name: STRING, version: STRING, extensions: list(STRING) }));
const METADATA = named(
  'ModelMetadata',
  record({
    name: STRING,
    versions: list(STRING),
    platform: STRING,
    inputs: TENSORS,
    outputs: TENSORS,
  }),
);
const DIMENSIONS = list(INTEGER);
const CONFIGURED = list(
  record({ name: STRING, data_type: STRING, dims: DIMENSIONS }, { reshape: record({ shape: DIMENSIONS }) }),
);
const CONFIGURATION = named(
  'ModelConfiguration',
  record({
    name: STRING,
    platform: STRING,
    backend: STRING,
    max_batch_size: COUNT,
    input: CONFIGURED,
    output: CONFIGURED,
    dynamic_batching: record({}),
    model_transaction_policy: record({ decoupled: BOOLEAN }),
    response_cache: record({ enable: BOOLEAN }),
  }),
);
const DURATION = named('OipDuration', record({ count: COUNT, ns: COUNT }));
const STATISTICS = named(
  'ModelStatistics',
  record({
    model_stats: list(
      record({
        name: STRING,
        version: STRING,
        last_inference: COUNT,
        inference_count: COUNT,
        execution_count: COUNT,
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
  }),
);
const LIVE = named('ServerLive', record({ live: BOOLEAN }));
const READY = named('ServerReady', record({ ready: BOOLEAN }));
const MODEL_READY = named('ModelReady', record({ name: STRING, ready: BOOLEAN }));
const QUESTION = named('InferenceRequest', {
  type: 'object',
  required: ['inputs'],
  properties: { inputs: list(ANYTHING) },
});
const ANSWER = named(
  'InferenceResponse',
  record(
    {
      model_name: STRING,
      model_version: STRING,
      outputs: list(record({ name: STRING, datatype: STRING, shape: list(INTEGER), data: list(ANYTHING) })),
    },
    { id: STRING },
  ),
);

const NotReady = (schema: Schema) =>
  ApiResponse({
    status: 503,
    description: 'It cannot be asked now.',
    content: { 'application/json': { schema: { anyOf: [schema, refersTo('OpenInferenceError')] } } },
  });
const NoModel = () => ApiResponse({ status: 404, description: 'No such model or version.' });

const Infers = (path: string, summary: string) =>
  applyDecorators(
    Predicts(oipDialect, path, summary),
    ApiBody({ schema: QUESTION }),
    ApiResponse({ status: 200, schema: ANSWER }),
  );

/** The protocol's document writes this one path both ways. */
export const OIP_SPELLINGS = new Map([['/v2/', '/v2']]);

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
  getServerMetadata(): object {
    return { name: 'foretell', version: VERSION, extensions: OIP_EXTENSIONS };
  }

  @Tells('health/live', 'The process runs', LIVE)
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  isServerLive(): object {
    return { live: true };
  }

  @Tells('health/ready', 'The process can answer predictions and is not stopping', READY)
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  @NotReady(READY)
  async isServerReady(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const ready = await this.readiness.isReady();
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready };
  }

  @Tells('models/:name', 'What the served version of a model takes and answers', METADATA)
  @NoModel()
  getModelMetadata(@Param('name') name: string): Promise<object> {
    return this.describe(parseModelReference(name));
  }

  @Tells('models/:name/versions/:version', 'What one version of a model takes and answers', METADATA)
  @NoModel()
  getModelVersionMetadata(@Param('name') name: string, @Param('version') version: string): Promise<object> {
    return this.describe({ name, version });
  }

  @Tells('models/:name/config', 'What Triton’s tools want to know of a model’s served version', CONFIGURATION)
  @NoModel()
  async getModelConfiguration(@Param('name') name: string): Promise<object> {
    return oipConfiguration(await this.models.get(parseModelReference(name)));
  }

  @Tells('models/:name/versions/:version/config', 'The same of one version', CONFIGURATION)
  @NoModel()
  async getModelVersionConfiguration(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<object> {
    return oipConfiguration(await this.models.get({ name, version }));
  }

  @Tells('models/:name/stats', 'What a model’s versions were asked since the service started', STATISTICS)
  @NoModel()
  async getModelStatistics(@Param('name') name: string): Promise<object> {
    const served: Model = await this.models.get(parseModelReference(name));
    const snapshots = await this.metrics.snapshots();
    const versions = new Set([served.version, ...versionsAsked(snapshots, served.name)]);
    return oipStatistics(snapshots, served.name, [...versions]);
  }

  @Tells('models/:name/versions/:version/stats', 'The same of one version', STATISTICS)
  @NoModel()
  async getModelVersionStatistics(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<object> {
    const model: Model = await this.models.get({ name, version });
    return oipStatistics(await this.metrics.snapshots(), model.name, [model.version]);
  }

  @Tells('models/:name/ready', 'Whether a model can be asked', MODEL_READY)
  @NoModel()
  @NotReady(MODEL_READY)
  isModelReady(
    @Param('name') name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    return this.tellReady(parseModelReference(name), reply);
  }

  @Tells('models/:name/versions/:version/ready', 'Whether one version of a model can be asked', MODEL_READY)
  @NoModel()
  @NotReady(MODEL_READY)
  isModelVersionReady(
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
    return this.predictions.predict({
      ...asked(oipDialect, request, actor),
      model: parseModelReference(name),
    });
  }

  @Infers('models/:name/versions/:version/infer', 'Infer with one version of a model')
  inferWithVersion(
    @Req() request: PredictionRequest,
    @Caller() actor: Actor,
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<string> {
    return this.predictions.predict({ ...asked(oipDialect, request, actor), model: { name, version } });
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

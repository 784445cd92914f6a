import { applyDecorators, Controller, Get, HttpStatus, Param, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Problem } from '#libs/errors';
import type { Model } from '#libs/inference';
import { ModelRegistry, parseModelReference, ServedModels, type ModelReference } from '#libs/models';
import {
  OIP_EXTENSIONS,
  oipConfiguration,
  oipDialect,
  oipMetadata,
  type OipConfiguration,
  type OipMetadata,
} from '#libs/predictions';
import { InGroupOf } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Public } from '../../guards/auth.guard.js';
import { refersTo, type Schema } from '../../openapi/schemas.js';
import { VERSION } from '../../version.js';
import { Readiness } from '../health/readiness.js';
import { ServiceMetrics } from '../metrics/service-metrics.js';
import {
  CONFIGURATION,
  LIVE,
  METADATA,
  MODEL_READY,
  READY,
  SERVER,
  STATISTICS,
  type ModelReady,
  type ServerLive,
  type ServerMetadata,
  type ServerReady,
} from './oip.dto.js';
import { oipStatistics, versionsAsked, type OipStatistics } from './oip-statistics.js';

const Tells = (path: string, summary: string, schema: Schema) =>
  applyDecorators(Get(path), ApiOperation({ summary }), ApiResponse({ status: 200, schema }));

const NotReady = (schema: Schema) =>
  ApiResponse({
    status: 503,
    description: 'It cannot be asked at the moment.',
    content: { 'application/json': { schema: { anyOf: [schema, refersTo('OpenInferenceError')] } } },
  });
const NoModel = () => Refuses({ 'model-not-found': 'No such model or version.' });

/** What the Open Inference Protocol, version 2, has in addition to predictions. */
@InGroupOf(oipDialect)
@Controller('v2')
export class OipController {
  constructor(
    private readonly models: ServedModels,
    private readonly registry: ModelRegistry,
    private readonly readiness: Readiness,
    private readonly metrics: ServiceMetrics,
  ) {}

  @Tells('', 'Name and version of this service', SERVER)
  @Public()
  getServerMetadata(): ServerMetadata {
    return { name: 'foretell', version: VERSION, extensions: OIP_EXTENSIONS };
  }

  @Tells('health/live', 'The process runs', LIVE)
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  isServerLive(): ServerLive {
    return { live: true };
  }

  @Tells('health/ready', 'The process can answer predictions and is not stopping', READY)
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  @NotReady(READY)
  async isServerReady(@Res({ passthrough: true }) reply: FastifyReply): Promise<ServerReady> {
    const ready = await this.readiness.isReady();
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready };
  }

  @Tells('models/:name', 'What the served version of a model takes and answers', METADATA)
  @NoModel()
  getModelMetadata(@Param('name') name: string): Promise<OipMetadata> {
    return this.describe(parseModelReference(name));
  }

  @Tells('models/:name/versions/:version', 'What one version of a model takes and answers', METADATA)
  @NoModel()
  getModelVersionMetadata(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<OipMetadata> {
    return this.describe({ name, version });
  }

  @Tells(
    'models/:name/config',
    'The configuration of the served version of a model, for Triton’s tools',
    CONFIGURATION,
  )
  @NoModel()
  async getModelConfiguration(@Param('name') name: string): Promise<OipConfiguration> {
    return oipConfiguration(await this.models.get(parseModelReference(name)));
  }

  @Tells(
    'models/:name/versions/:version/config',
    'The configuration of one version, for Triton’s tools',
    CONFIGURATION,
  )
  @NoModel()
  async getModelVersionConfiguration(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<OipConfiguration> {
    return oipConfiguration(await this.models.get({ name, version }));
  }

  @Tells('models/:name/stats', 'Statistics of the versions of a model since the service started', STATISTICS)
  @NoModel()
  async getModelStatistics(@Param('name') name: string): Promise<OipStatistics> {
    const served: Model = await this.models.get(parseModelReference(name));
    const snapshots = await this.metrics.snapshots();
    const versions = new Set([served.version, ...versionsAsked(snapshots, served.name)]);
    return oipStatistics(snapshots, served.name, [...versions]);
  }

  @Tells('models/:name/versions/:version/stats', 'The statistics of one version', STATISTICS)
  @NoModel()
  async getModelVersionStatistics(
    @Param('name') name: string,
    @Param('version') version: string,
  ): Promise<OipStatistics> {
    const model: Model = await this.models.get({ name, version });
    return oipStatistics(await this.metrics.snapshots(), model.name, [model.version]);
  }

  @Tells('models/:name/ready', 'Whether a model can be asked', MODEL_READY)
  @NoModel()
  @NotReady(MODEL_READY)
  isModelReady(
    @Param('name') name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ModelReady> {
    return this.tellReady(parseModelReference(name), reply);
  }

  @Tells('models/:name/versions/:version/ready', 'Whether one version of a model can be asked', MODEL_READY)
  @NoModel()
  @NotReady(MODEL_READY)
  isModelVersionReady(
    @Param('name') name: string,
    @Param('version') version: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ModelReady> {
    return this.tellReady({ name, version }, reply);
  }

  private async describe(reference: ModelReference): Promise<OipMetadata> {
    const model: Model = await this.models.get(reference);
    return oipMetadata(model, await this.registry.versionsOf(model.name));
  }

  private async tellReady(reference: ModelReference, reply: FastifyReply): Promise<ModelReady> {
    const ready = await this.isServed(reference);
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { name: reference.name, ready };
  }

  /** @throws Problem `model-not-found` for a model that was never registered */
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

import { applyDecorators, Controller, Get, HttpStatus, Inject, Param, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import type { Model } from '#libs/inference';
import { ModelRegistry, parseModelReference, ServedModels, type ModelReference } from '#libs/models';
import { oipDialect, oipMetadata, PredictionsService } from '#libs/predictions';
import { Readiness } from '../health/readiness.js';
import { Public } from '../http/auth.guard.js';
import { Caller } from '../http/caller.decorator.js';
import { VERSION } from '../http/version.js';
import { asked, Predicts, type PredictionRequest } from './predicts.js';

const Tells = (path: string, summary: string) =>
  applyDecorators(Get(path), RouteConfig({ dialect: oipDialect }), ApiOperation({ summary }));

const Infers = (path: string, summary: string) =>
  applyDecorators(
    Predicts(oipDialect, path, summary),
    ApiBearerAuth(),
    ApiBody({
      schema: { type: 'object', required: ['inputs'], properties: { inputs: { type: 'array', items: {} } } },
    }),
    ApiResponse({ status: 200, description: '`{"model_name","model_version","outputs":[…]}`' }),
    ApiResponse({ status: 404, description: 'No such model.' }),
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
  ) {}

  @Tells('', 'Name and version of this service')
  @Public()
  server(): object {
    return { name: 'foretell', version: VERSION, extensions: [] };
  }

  @Tells('health/live', 'The process runs')
  @Public()
  live(): object {
    return { live: true };
  }

  @Tells('health/ready', 'The process can answer predictions and is not stopping')
  @Public()
  @ApiResponse({ status: 503, description: '`{"ready":false}`' })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const ready = await this.readiness.isReady();
    if (!ready) reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return { ready };
  }

  @Tells('models/:name', 'What the served version of a model takes and answers')
  @ApiBearerAuth()
  named(@Param('name') name: string): Promise<object> {
    return this.describe(parseModelReference(name));
  }

  @Tells('models/:name/versions/:version', 'What one version of a model takes and answers')
  @ApiBearerAuth()
  versioned(@Param('name') name: string, @Param('version') version: string): Promise<object> {
    return this.describe({ name, version });
  }

  @Tells('models/:name/ready', 'Whether a model can be asked')
  @ApiBearerAuth()
  @ApiResponse({ status: 503, description: 'It is registered, and cannot be asked.' })
  namedReady(@Param('name') name: string, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    return this.tellReady(parseModelReference(name), reply);
  }

  @Tells('models/:name/versions/:version/ready', 'Whether one version of a model can be asked')
  @ApiBearerAuth()
  @ApiResponse({ status: 503, description: 'It is registered, and cannot be asked.' })
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

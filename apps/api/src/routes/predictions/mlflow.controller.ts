import { Controller, Get, Header, Inject, NotFoundException } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { CONFIG, type Config } from '#libs/config';
import { Problem } from '#libs/errors';
import { ServedModels } from '#libs/models';
import { mlflowDialect } from '#libs/predictions';
import { InGroupOf } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Public } from '../../guards/auth.guard.js';
import { STRING } from '../../openapi/schemas.js';
import { VERSION } from '../../version.js';

/** What MLflow's scoring protocol has in addition to predictions. */
@InGroupOf(mlflowDialect)
@Controller()
export class MlflowController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly models: ServedModels,
  ) {}

  @Get('ping')
  @Public()
  @RouteConfig({ isAlwaysAnswered: true })
  @Header('content-type', 'application/json')
  @ApiOperation({ summary: 'Whether the default model can be asked' })
  @ApiResponse({ status: 200, description: 'An empty line.', content: { 'application/json': {} } })
  @Refuses({ 'model-not-found': 'There is no default model at the moment.' })
  ping(): string {
    if (this.models.default) return '\n';
    throw new Problem('model-not-found', 'There is no default model at the moment.');
  }

  @Get('version')
  @Public()
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiOperation({ summary: 'The version of this service; not available in production' })
  @ApiResponse({ status: 200, description: 'As text.', content: { 'text/plain': { schema: STRING } } })
  @Refuses({ 'not-found': 'There is nothing here in production.' })
  getServerVersion(): string {
    if (this.config.isProduction) throw new NotFoundException();
    return VERSION;
  }
}

import { Controller, Get, HttpStatus, Inject, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { CONFIG, type Config } from '#libs/config';
import { ServedModels } from '#libs/models';
import { InGroup } from '../../openapi/groups.js';
import { Public } from '../../guards/auth.guard.js';
import { isReady, Readiness, type Check } from './readiness.js';
import { dictionary, list, named, oneOf, record, STRING } from '../../openapi/schemas.js';

const CHECK = oneOf('ok', 'failed');
const LIVENESS = named('Liveness', record({ status: CHECK }));
const HEALTH = named(
  'Health',
  record(
    { status: CHECK, checks: dictionary(CHECK) },
    {
      model: record({ name: STRING, version: STRING }),
      failed_models: list(record({ name: STRING, version: STRING, failure: STRING })),
    },
  ),
);

interface StatusDto {
  status: Check;
}

interface HealthDto extends StatusDto {
  checks: Record<string, Check>;
  model?: { name: string; version: string };
  failed_models?: { name: string; version: string; failure: string | null }[];
}

@InGroup('Service')
@Controller()
@Public()
export class HealthController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly readiness: Readiness,
    private readonly models: ServedModels,
  ) {}

  @Get('health')
  @RouteConfig({ isAlwaysAnswered: true })
  @ApiOperation({ summary: 'The state of the service and of each of its parts' })
  @ApiResponse({ status: 200, description: 'Everything works.', schema: HEALTH })
  @ApiResponse({ status: 503, description: 'The failing check is named.', schema: HEALTH })
  async getHealth(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthDto> {
    const checks = await this.readiness.check();
    return {
      status: this.conclude(isReady(checks), reply),
      checks,
      ...(this.config.isProduction ? {} : this.describeModels()),
    };
  }

  @Get('livez')
  @RouteConfig({ isAlwaysAnswered: true })
  @ApiOperation({ summary: 'The process runs; restart it if this fails' })
  @ApiResponse({ status: 200, schema: LIVENESS })
  getLiveness(): StatusDto {
    return { status: 'ok' };
  }

  @Get('readyz')
  @RouteConfig({ isAlwaysAnswered: true })
  @ApiOperation({
    summary: 'The process can answer predictions and is not stopping; send it no requests if this fails',
  })
  @ApiResponse({ status: 200, schema: LIVENESS })
  @ApiResponse({
    status: 503,
    description: 'It cannot answer predictions, or is stopping.',
    schema: LIVENESS,
  })
  async getReadiness(@Res({ passthrough: true }) reply: FastifyReply): Promise<StatusDto> {
    return { status: this.conclude(await this.readiness.isReady(), reply) };
  }

  /** The default model, and the versions that failed their last check: they are not served, so all is well. */
  private describeModels(): Pick<HealthDto, 'model' | 'failed_models'> {
    const { default: model, failed } = this.models;
    return {
      ...(model && { model: { name: model.name, version: model.version } }),
      ...(failed.length > 0 && {
        failed_models: failed.map(({ name, version, failure }) => ({ name, version, failure })),
      }),
    };
  }

  private conclude(isOk: boolean, reply: FastifyReply): Check {
    if (isOk) return 'ok';
    reply.code(HttpStatus.SERVICE_UNAVAILABLE);
    return 'failed';
  }
}

import { Controller, Get, Header } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { Metrics } from '#libs/observability';
import { InGroup } from '../../openapi/groups.js';
import { Roles } from '../../guards/roles.guard.js';
import { ServiceMetrics } from './service-metrics.js';

/** For metrics without a port of their own. */
@InGroup('Service')
@Controller()
export class MetricsController {
  constructor(private readonly metrics: ServiceMetrics) {}

  @Get('metrics')
  @Roles('admin')
  @RouteConfig({ isAlwaysAnswered: true })
  @Header('content-type', Metrics.contentType)
  @ApiOperation({ summary: 'What the service measures, for Prometheus (admin)' })
  @ApiProduces('text/plain')
  @ApiResponse({ status: 200, description: "Prometheus' text format." })
  getMetrics(): Promise<string> {
    return this.metrics.text();
  }
}

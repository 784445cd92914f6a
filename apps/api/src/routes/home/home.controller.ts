import { Controller, Get, HttpStatus, Inject, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#libs/config';
import { Public } from '../../guards/auth.guard.js';
import { InGroup } from '../../openapi/groups.js';
import { named, record, STRING } from '../../openapi/schemas.js';

const HOME = named(
  'Home',
  record(
    { name: { ...STRING, example: 'Foretell' }, description: STRING },
    {
      documentation: { ...STRING, example: '/docs' },
      openapi: { ...STRING, example: '/docs-json', description: 'The OpenAPI document.' },
    },
  ),
);

interface Home {
  name: string;
  description: string;
  documentation?: string;
  openapi?: string;
}

/** What a new user finds at the address of the service. */
@InGroup('Service')
@Controller()
@Public()
export class HomeController {
  private readonly home: Home;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    const { docsEnabled, docsPath } = config;
    this.home = {
      name: 'Foretell',
      description: 'Serves predictions from ONNX models and records every answer.',
      ...(docsEnabled && { documentation: docsPath, openapi: `${docsPath}-json` }),
    };
  }

  @Get()
  @ApiOperation({
    summary: 'What this service is, and where its documentation is',
    description: 'A browser is sent to the documentation page.',
  })
  @ApiResponse({ status: 200, schema: HOME })
  @ApiResponse({
    status: 302,
    description: 'To the documentation page, where `Accept` asks for HTML.',
    headers: { Location: { schema: STRING, required: true } },
  })
  getHome(@Req() { headers }: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Home | void {
    if (this.home.documentation === undefined || !headers.accept?.includes('text/html')) return this.home;
    reply.code(HttpStatus.FOUND).header('location', `${this.config.docsPath}/`);
  }
}

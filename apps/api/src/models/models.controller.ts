import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiConsumes, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#libs/config';
import { Problem, type Actor } from '#libs/errors';
import { ModelRegistry, parseAlias, parseModelReference, unpackArchive, type Origin } from '#libs/models';
import { Caller } from '../http/caller.decorator.js';
import { Roles } from '../http/roles.guard.js';
import {
  ALIAS_SET,
  MODEL,
  MODELS,
  REGISTRATION,
  VERSION,
  detailsOf,
  promotionOf,
  registrationOf,
  SetAliasDto,
  summaryOf,
  versionOf,
} from './models.dto.js';

/** What an upload of a model may be declared as; what it is, its first bytes tell. */
const ARCHIVE_TYPES = [
  'application/gzip',
  'application/x-gzip',
  'application/x-tar',
  'application/zip',
  'application/octet-stream',
];

@ApiTags('models')
@ApiBearerAuth()
@Controller('models')
@Roles('admin')
export class ModelsController {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ModelRegistry) private readonly registry: ModelRegistry,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Every registered model (admin)' })
  @ApiResponse({ status: 200, schema: MODELS })
  async list(): Promise<object> {
    return { models: (await this.registry.list()).map(summaryOf) };
  }

  @Get(':name')
  @ApiOperation({ summary: 'Versions, aliases, their history, and what each process serves (admin)' })
  @ApiResponse({ status: 200, schema: MODEL })
  @ApiResponse({ status: 404, description: 'No such model.' })
  async show(@Param('name') name: string): Promise<object> {
    return detailsOf(await this.registry.show(parseModelReference(name).name));
  }

  @Get(':name/versions/:version')
  @ApiOperation({ summary: 'One version: its state, its hashes, its manifest, who registered it (admin)' })
  @ApiResponse({ status: 200, schema: VERSION })
  @ApiResponse({ status: 404, description: 'No such model or version.' })
  async version(@Param('name') name: string, @Param('version') version: string): Promise<object> {
    return versionOf(await this.registry.find(parseModelReference(name).name, version));
  }

  @Post(':name/versions')
  @RouteConfig({ body: 'stream', types: ARCHIVE_TYPES })
  @ApiOperation({
    summary: 'Register a version: its artifact as .tar, .tar.gz or .zip (admin)',
    description: 'It is checked against its golden values before it exists.',
  })
  @ApiConsumes(...ARCHIVE_TYPES)
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 201, description: 'Registered.', schema: REGISTRATION })
  @ApiResponse({
    status: 200,
    description: 'It was registered before, with the same content.',
    schema: REGISTRATION,
  })
  @ApiResponse({ status: 409, description: 'It was registered before, with other content.' })
  @ApiResponse({ status: 413, description: 'Larger than MAX_ARTIFACT_BYTES.' })
  @ApiResponse({ status: 422, description: 'Not a usable artifact; the detail says why.' })
  async register(
    @Param('name') name: string,
    @Req() { body }: FastifyRequest<{ Body?: Readable }>,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Caller() actor: Actor,
  ): Promise<object> {
    if (!body) throw Problem.badRequest('The body must be an archive with the files of an artifact.');
    const folder = await mkdtemp(join(tmpdir(), 'foretell-upload-'));
    try {
      const artifact = await unpackArchive(body, folder, { maxBytes: this.config.maxArtifactBytes });
      const registration = await this.registry.register(artifact, originOf(actor), name);
      reply
        .code(registration.isNew ? 201 : 200)
        .header('location', `/models/${name}/versions/${registration.version.version}`);
      return registrationOf(registration);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  @Put(':name/aliases/:alias')
  @ApiOperation({
    summary: 'Let an alias stand for a version: production, shadow, canary, or one of your own (admin)',
    description: 'The version is checked first; the answer comes when every process serves it.',
  })
  @ApiResponse({ status: 200, schema: ALIAS_SET })
  @ApiResponse({ status: 404, description: 'No such model or version.' })
  @ApiResponse({ status: 422, description: 'The version failed its check; the alias stays what it was.' })
  async setAlias(
    @Param('name') name: string,
    @Param('alias') given: string,
    @Body() { version, percent }: SetAliasDto,
    @Caller() actor: Actor,
  ): Promise<object> {
    const alias = parseAlias(given);
    const promotion = await this.registry.promote({ name, alias, version, percent }, originOf(actor));
    return { name, alias, ...promotionOf(promotion) };
  }

  @Delete(':name/aliases/:alias')
  @HttpCode(204)
  @ApiOperation({ summary: 'Take an alias away, which ends a shadow or a canary (admin)' })
  @ApiResponse({ status: 204, description: 'Done.' })
  @ApiResponse({ status: 404, description: 'No such alias.' })
  async removeAlias(
    @Param('name') name: string,
    @Param('alias') alias: string,
    @Caller() actor: Actor,
  ): Promise<void> {
    await this.registry.remove(name, parseAlias(alias), originOf(actor));
  }
}

function originOf({ userId }: Actor): Origin {
  return { userId, from: 'api' };
}

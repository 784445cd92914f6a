import type { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Req, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBody, ApiConsumes, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type Actor } from '#libs/errors';
import type { Model } from '#libs/inference';
import {
  ModelRegistry,
  parseAlias,
  parseModelReference,
  PromoteVersion,
  RegisterVersion,
  ServedModels,
  type Origin,
} from '#libs/models';
import { Caller } from '../../guards/caller.decorator.js';
import { InGroup } from '../../openapi/groups.js';
import { Refuses } from '../../openapi/refusals.js';
import { Roles } from '../../guards/roles.guard.js';
import {
  ALIAS_SET,
  MODEL,
  MODELS,
  REGISTRATION,
  VERSION,
  detailsOf,
  offerOf,
  promotionOf,
  registrationOf,
  servingOf,
  SetAliasDto,
  summaryOf,
  versionOf,
  type AliasDto,
  type ModelDto,
  type ModelListDto,
  type RegistrationDto,
  type VersionDto,
} from './models.dto.js';

/** What the upload of a model may be declared as; its first bytes show what it really is. */
const ARCHIVE_TYPES = [
  'application/gzip',
  'application/x-gzip',
  'application/x-tar',
  'application/zip',
  'application/octet-stream',
];

@InGroup('Models')
@Controller('models')
export class ModelsController {
  constructor(
    private readonly registry: ModelRegistry,
    private readonly registration: RegisterVersion,
    private readonly promotion: PromoteVersion,
    private readonly served: ServedModels,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'List the models, with what each takes and answers',
    description:
      'Models in production; for an admin every registered model, with all its versions and aliases.',
  })
  @ApiResponse({ status: 200, schema: MODELS })
  async listModels(@Caller() actor: Actor): Promise<ModelListDto> {
    if (actor.role !== 'admin') return { models: this.served.offeredTo(actor.userId).map(offerOf) };
    const models = await this.registry.list();
    return {
      models: models.map((model) => ({
        ...summaryOf(model),
        serving: servingOf(this.serving(model.name, actor)),
      })),
    };
  }

  @Get(':name')
  @ApiOperation({
    summary: 'What a model takes and answers',
    description:
      'An admin also sees its versions, its aliases and their history, and what each process serves.',
  })
  @ApiResponse({ status: 200, schema: MODEL })
  @Refuses({ 'model-not-found': 'No such model.' })
  async getModel(@Param('name') given: string, @Caller() actor: Actor): Promise<ModelDto> {
    const { name } = parseModelReference(given);
    const serving = this.serving(name, actor);
    if (actor.role === 'admin') {
      return { ...detailsOf(await this.registry.show(name)), serving: servingOf(serving) };
    }
    if (serving) return offerOf(serving);
    throw new Problem('model-not-found', `There is no model '${name}'.`);
  }

  @Get(':name/versions/:version')
  @Roles('admin')
  @ApiOperation({ summary: 'One version: its state, its hashes, its manifest, who registered it (admin)' })
  @ApiResponse({ status: 200, schema: VERSION })
  @Refuses({ 'model-not-found': 'No such model or version.' })
  async getModelVersion(@Param('name') name: string, @Param('version') version: string): Promise<VersionDto> {
    return versionOf(await this.registry.find(parseModelReference(name).name, version));
  }

  @Post(':name/versions')
  @Roles('admin')
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
    description: 'It was already registered with the same content.',
    schema: REGISTRATION,
  })
  @Refuses({
    'model-version-exists': 'It was already registered with different content.',
    'body-too-large': 'Larger than MAX_ARTIFACT_BYTES.',
    'artifact-not-usable': 'The artifact cannot be used; `detail` says why.',
    'storage-full': 'The disk is full.',
  })
  async registerModelVersion(
    @Param('name') name: string,
    @Req() { body }: FastifyRequest<{ Body?: Readable }>,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Caller() actor: Actor,
  ): Promise<RegistrationDto> {
    if (!body) throw Problem.badRequest('The body must be an archive with the files of an artifact.');
    const registration = await this.registration.registerUpload(body, originOf(actor), name);
    reply
      .code(registration.isNew ? 201 : 200)
      .header('location', `/models/${name}/versions/${registration.version.version}`);
    return registrationOf(registration);
  }

  @Put(':name/aliases/:alias')
  @Roles('admin')
  @ApiOperation({
    summary: 'Point an alias at a version: production, shadow, canary, or one of your own (admin)',
    description:
      'The version is checked first; the answer comes when every process serves it. A canary of the version that goes ' +
      'into production ends; any other continues, and is reported in `canary`.',
  })
  @ApiResponse({ status: 200, schema: ALIAS_SET })
  @Refuses({
    'model-not-found': 'No such model or version.',
    'artifact-not-usable': 'The version failed its check; the alias has not changed.',
  })
  async setModelAlias(
    @Param('name') name: string,
    @Param('alias') given: string,
    @Body() { version, percent }: SetAliasDto,
    @Caller() actor: Actor,
  ): Promise<AliasDto> {
    const alias = parseAlias(given);
    const promotion = await this.promotion.promote({ name, alias, version, percent }, originOf(actor));
    return { name, alias, ...promotionOf(promotion) };
  }

  @Delete(':name/aliases/:alias')
  @Roles('admin')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove an alias, which ends a shadow or a canary (admin)' })
  @ApiResponse({ status: 204, description: 'Done.' })
  @Refuses({ 'model-not-found': 'No such alias.' })
  async removeModelAlias(
    @Param('name') name: string,
    @Param('alias') alias: string,
    @Caller() actor: Actor,
  ): Promise<void> {
    await this.promotion.remove(name, parseAlias(alias), originOf(actor));
  }

  /** The model that answers the caller if the request names no version. */
  private serving(name: string, { userId }: Actor): Model | undefined {
    return this.served.offeredTo(userId).find((model) => model.name === name);
  }
}

function originOf({ userId }: Actor): Origin {
  return { userId, from: 'api' };
}

import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { IsNumber, IsString, Max, Min, ValidateIf } from 'class-validator';
import type { Model } from '#libs/inference';
import type { ModelDetails, ModelVersion, Promotion, Registration } from '#libs/models';
import { exampleOf } from '#libs/predictions';
import {
  ANYTHING,
  BOOLEAN,
  COUNT,
  DATE_TIME,
  dictionary,
  ID,
  list,
  named,
  NUMBER,
  oneOf,
  orNull,
  PERCENT,
  record,
  STRING,
} from '../../openapi/schemas.js';

const COLUMN = named(
  'Column',
  record(
    {
      name: STRING,
      type: oneOf('numeric', 'boolean', 'categorical'),
      nullable: BOOLEAN,
      required: BOOLEAN,
    },
    {
      default: ANYTHING,
      minimum: NUMBER,
      maximum: NUMBER,
      categories: list(ANYTHING),
      description: STRING,
      example: ANYTHING,
    },
  ),
);
/** The version that answers the caller if the request names none, and a body that it takes. */
const SERVING = named(
  'ServedVersion',
  record(
    { version: STRING, columns: list(COLUMN), example: dictionary(ANYTHING) },
    { description: STRING, labels: list(STRING), label_descriptions: list(STRING), threshold: NUMBER },
  ),
);
const SUMMARY = { name: STRING, task: STRING, aliases: dictionary(STRING) };
const PROMOTION = {
  version: STRING,
  previous: orNull(STRING),
  processes: record({ serving: COUNT, behind: list(STRING) }),
};
/** The canary of a model whose production version has changed. */
const SETTLED = { canary: record({ version: STRING, percent: PERCENT, ended: BOOLEAN }) };

/** What the functions below return. */
const IN_LIST = { ...SUMMARY, versions: list(STRING) };
const OFFER = named('OfferedModel', record({ ...IN_LIST, serving: SERVING }));
const LISTED = named('ListedModel', record({ ...IN_LIST, serving: orNull(SERVING) }));
export const MODELS = named('ModelList', record({ models: list(LISTED) }));
export const VERSION = named(
  'ModelVersion',
  record({
    version: STRING,
    state: STRING,
    failure: orNull(STRING),
    sha256: STRING,
    content_sha256: STRING,
    registered_by: orNull(ID),
    registered_from: STRING,
    created_datetime: DATE_TIME,
    manifest: dictionary(ANYTHING),
  }),
);
const DETAILS = named(
  'RegisteredModel',
  record({
    ...SUMMARY,
    serving: orNull(SERVING),
    versions: list(VERSION),
    history: list(
      record({
        alias: STRING,
        version: orNull(STRING),
        percent: orNull(PERCENT),
        set_by: orNull(ID),
        set_from: STRING,
        created_datetime: DATE_TIME,
        replaced_datetime: orNull(DATE_TIME),
      }),
    ),
    processes: list(
      record({
        process: STRING,
        serving: list(
          record({
            alias: STRING,
            version: orNull(STRING),
            failure: orNull(record({ version: STRING, reason: STRING })),
          }),
        ),
      }),
    ),
  }),
);
/** For all users, and for an admin. */
export const MODEL = named('Model', { oneOf: [OFFER, DETAILS] });
export const REGISTRATION = named(
  'Registration',
  record(
    {
      name: STRING,
      version: STRING,
      sha256: STRING,
      content_sha256: STRING,
      state: STRING,
      warnings: list(STRING),
    },
    { promotion: record(PROMOTION, SETTLED) },
  ),
);
export const ALIAS_SET = named('ModelAlias', record({ name: STRING, alias: STRING, ...PROMOTION }, SETTLED));

@ApiSchema({ name: 'NewAlias' })
export class SetAliasDto {
  @ApiProperty({ example: '2', description: 'A registered version of the model.' })
  @IsString({ message: 'version must be a string, such as "2"' })
  version!: string;

  @ApiPropertyOptional({
    ...PERCENT,
    example: 10,
    description: 'For the alias canary: the percentage of users.',
  })
  @ValidateIf((_, percent) => percent !== undefined)
  @Max(100)
  @Min(0)
  @IsNumber()
  percent?: number;
}

/** A model in one line of the list. */
export function summaryOf({ name, versions, aliases }: ModelDetails) {
  return {
    name,
    task: versions.at(-1)!.manifest.task,
    versions: versions.map(({ version }) => version),
    aliases: Object.fromEntries(
      aliases.flatMap(({ alias, version }) => (version === null ? [] : [[alias, version]])),
    ),
  };
}

/** What every user may know about a model: no more than about the version that answers them. */
export function offerOf(model: Model) {
  const { name, version, manifest } = model;
  const serving = servingOf(model)!;
  return { name, task: manifest.task, versions: [version], aliases: { production: version }, serving };
}

export function servingOf(model: Model | undefined) {
  if (!model) return null;
  const { version, columns, manifest } = model;
  return {
    version,
    ...(manifest.description !== undefined && { description: manifest.description }),
    ...(manifest.task !== 'regression' && {
      labels: manifest.labels,
      ...(manifest.label_descriptions && { label_descriptions: manifest.label_descriptions }),
    }),
    ...(manifest.task === 'binary_classification' && { threshold: manifest.threshold }),
    columns,
    example: exampleOf(columns),
  };
}

export function detailsOf(model: ModelDetails) {
  const { versions, history, processes } = model;
  return {
    ...summaryOf(model),
    versions: versions.map(versionOf),
    history: history.map((each) => ({
      alias: each.alias,
      version: each.version,
      percent: each.percent,
      set_by: each.setBy,
      set_from: each.setFrom,
      created_datetime: each.createdDatetime,
      replaced_datetime: each.replacedDatetime,
    })),
    processes: processes.map(({ host, pid, serving }) => ({
      process: `${host}:${pid}`,
      serving: serving
        .filter(({ name }) => name === model.name)
        .map(({ alias, version, failure }) => ({ alias, version, failure })),
    })),
  };
}

export function versionOf(version: ModelVersion) {
  return {
    version: version.version,
    state: version.state,
    failure: version.failure,
    sha256: version.sha256,
    content_sha256: version.contentSha256,
    registered_by: version.registeredBy,
    registered_from: version.registeredFrom,
    created_datetime: version.createdDatetime,
    manifest: version.manifest,
  };
}

export function registrationOf({ version, promotion, warnings }: Registration) {
  const { name, sha256, contentSha256, state } = version;
  return {
    name,
    version: version.version,
    sha256,
    content_sha256: contentSha256,
    state,
    warnings,
    ...(promotion && { promotion: promotionOf(promotion) }),
  };
}

export function promotionOf({ version, previous, followed, behind, canary }: Promotion) {
  return {
    version,
    previous,
    processes: { serving: followed, behind },
    ...(canary && { canary: { version: canary.version, percent: canary.percent, ended: canary.hasEnded } }),
  };
}

/** In JSON, as the schemas above describe them. */
export type VersionDto = ReturnType<typeof versionOf>;
export type RegistrationDto = ReturnType<typeof registrationOf>;
export type AliasDto = { name: string; alias: string } & ReturnType<typeof promotionOf>;
export type ModelDto =
  ReturnType<typeof offerOf> | (ReturnType<typeof detailsOf> & { serving: ReturnType<typeof servingOf> });
export interface ModelListDto {
  models: (ReturnType<typeof summaryOf> & { serving: ReturnType<typeof servingOf> })[];
}

import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsNumber, IsString, Max, Min, ValidateIf } from 'class-validator';
import type { ModelDetails, ModelVersion, Promotion, Registration } from '#libs/models';
import {
  ANYTHING,
  DATE_TIME,
  dictionary,
  INTEGER,
  list,
  NUMBER,
  orNull,
  record,
  STRING,
} from '../http/schemas.js';

const SUMMARY = { name: STRING, task: STRING, aliases: dictionary(STRING) };
const PROMOTION = {
  version: STRING,
  previous: orNull(STRING),
  processes: record({ serving: INTEGER, behind: list(STRING) }),
};

/** What the functions below make. */
export const MODELS = record({ models: list(record({ ...SUMMARY, versions: list(STRING) })) });
export const VERSION = record({
  version: STRING,
  state: STRING,
  failure: orNull(STRING),
  sha256: STRING,
  content_sha256: STRING,
  registered_by: orNull(INTEGER),
  registered_from: STRING,
  created_datetime: DATE_TIME,
  manifest: dictionary(ANYTHING),
});
export const MODEL = record({
  ...SUMMARY,
  versions: list(VERSION),
  history: list(
    record({
      alias: STRING,
      version: orNull(STRING),
      percent: orNull(NUMBER),
      set_by: orNull(INTEGER),
      set_from: STRING,
      created_datetime: DATE_TIME,
      replaced_datetime: orNull(DATE_TIME),
    }),
  ),
  processes: list(
    record({
      process: STRING,
      serving: list(record({ alias: STRING, version: STRING, failure: orNull(STRING) })),
    }),
  ),
});
export const REGISTRATION = record(
  { name: STRING, version: STRING, sha256: STRING, content_sha256: STRING, state: STRING },
  { promotion: record(PROMOTION) },
);
export const ALIAS_SET = record({ name: STRING, alias: STRING, ...PROMOTION });

export class SetAliasDto {
  @ApiProperty({ example: '2', description: 'A registered version of the model.' })
  @IsString({ message: 'version must be a string, such as "2"' })
  version!: string;

  @ApiPropertyOptional({ example: 10, description: 'For the alias canary: of the users, in percent.' })
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

export function registrationOf({ version, promotion }: Registration) {
  const { name, sha256, contentSha256, state } = version;
  return {
    name,
    version: version.version,
    sha256,
    content_sha256: contentSha256,
    state,
    ...(promotion && { promotion: promotionOf(promotion) }),
  };
}

export function promotionOf({ version, previous, followed, behind }: Promotion) {
  return { version, previous, processes: { serving: followed, behind } };
}

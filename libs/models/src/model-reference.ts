import { Problem } from '#libs/errors';

/** A model as callers refer to it: in one version, or in the version that an alias stands for. */
export type ModelReference = { readonly name: string } & (
  { readonly version: string } | { readonly alias: string }
);

export const PRODUCTION = 'production';
/** The candidate that gets the same requests; its answers go only into the record. */
export const SHADOW = 'shadow';
/** The version that answers some of the users. */
export const CANARY = 'canary';

/** The names of stages in model URIs from before there were aliases: in any case, they are aliases. */
const STAGES = [PRODUCTION, 'staging'];

const NAME = '[a-z0-9][a-z0-9._-]*';
const VERSION = '[A-Za-z0-9][A-Za-z0-9._-]*';
/** Begins with a letter, so that no alias looks like the number of a version. */
const ALIAS = '[A-Za-z][A-Za-z0-9_-]*';

const NAMED = new RegExp(`^(?:models:/)?(?<name>${NAME})(?:@(?<alias>${ALIAS}))?$`);
const VERSIONED = new RegExp(`^models:/(?<name>${NAME})/(?<version>${VERSION})$`);

/**
 * `name`, `name@alias`, or a model URI as MLflow writes it: `models:/name/3`, `models:/name@alias`,
 * `models:/name/Production`. A name alone is the version in production.
 * @throws Problem `model-not-found` for text that cannot refer to a model
 */
export function parseModelReference(text: string): ModelReference {
  const { name, alias, version } = (NAMED.exec(text) ?? VERSIONED.exec(text))?.groups ?? {};
  if (name === undefined) {
    throw new Problem(
      'model-not-found',
      'This is not the name of a model. Use name, name@alias, models:/name/version or models:/name@alias.',
    );
  }
  if (version === undefined) return { name, alias: alias?.toLowerCase() ?? PRODUCTION };
  return isStage(version) ? { name, alias: version.toLowerCase() } : { name, version };
}

/** @throws Problem `bad-request` */
export function parseAlias(text: string): string {
  if (new RegExp(`^${ALIAS}$`).test(text)) return text.toLowerCase();
  throw Problem.badRequest('An alias is a letter, followed by letters, digits, dashes and underscores.');
}

/** Whether a version with this name could be mistaken for an alias. */
export function isStage(version: string): boolean {
  return STAGES.includes(version.toLowerCase());
}

export function describe(reference: ModelReference): string {
  const { name } = reference;
  return 'version' in reference
    ? `version ${reference.version} of model '${name}'`
    : `${name}@${reference.alias}`;
}

/** The refusal for a version, or for an alias that stands for none. */
export function notThere(reference: ModelReference): Problem {
  const version = 'version' in reference ? `version ${reference.version}` : `${reference.alias} version`;
  return new Problem('model-not-found', `Model '${reference.name}' has no ${version}.`);
}

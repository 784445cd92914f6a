import { Problem } from '#libs/errors';

/** A model as it is named: in one version, or in the version that an alias stands for. */
export type ModelReference = { readonly name: string } & (
  { readonly version: string } | { readonly alias: string }
);

export const PRODUCTION = 'production';
/** The candidate that is asked the same and whose answers only the record sees. */
export const SHADOW = 'shadow';
/** The version that answers some of the users. */
export const CANARY = 'canary';

/** The words for stages that model URIs know from before there were aliases: whatever their case, they are aliases. */
const STAGES = [PRODUCTION, 'staging'];

const NAME = '[a-z0-9][a-z0-9._-]*';
const VERSION = '[A-Za-z0-9][A-Za-z0-9._-]*';
/** Begins with a letter, so that no alias is taken for a version's number. */
const ALIAS = '[A-Za-z][A-Za-z0-9_-]*';

const NAMED = new RegExp(`^(?:models:/)?(?<name>${NAME})(?:@(?<alias>${ALIAS}))?$`);
const VERSIONED = new RegExp(`^models:/(?<name>${NAME})/(?<version>${VERSION})$`);

/**
 * `name`, `name@alias`, or a model URI as MLflow writes it: `models:/name/3`, `models:/name@alias`,
 * `models:/name/Production`. A name alone is the version in production.
 * @throws Problem `model-not-found` for what no model can be called
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

/** Whether a version of this name could not be told from an alias. */
export function isStage(version: string): boolean {
  return STAGES.includes(version.toLowerCase());
}

export function describe(reference: ModelReference): string {
  const { name } = reference;
  return 'version' in reference
    ? `version ${reference.version} of model '${name}'`
    : `${name}@${reference.alias}`;
}

/** The refusal of a version, or of an alias that points at none. */
export function notThere(reference: ModelReference): Problem {
  const version = 'version' in reference ? `version ${reference.version}` : `${reference.alias} version`;
  return new Problem('model-not-found', `Model '${reference.name}' has no ${version}.`);
}

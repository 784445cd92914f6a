import { ApiTags, type OpenAPIObject } from '@nestjs/swagger';
import type { Model } from '#libs/inference';
import { dialects, type Dialect } from '#libs/predictions';

/** The groups of the documentation page, in addition to those of models and dialects. */
const GROUPS = {
  'Start here': 'Register, get a token, predict.',
  Models: 'What the models take and answer; for admins, their versions and aliases.',
  Batches: 'Files of rows, scored in the background.',
  Audit: 'The record of every answer, for analysts and admins.',
  Accounts: 'Who may call, for admins.',
  Service: 'Health and metrics, for operators.',
} as const;

export const InGroup = (group: keyof typeof GROUPS) => ApiTags(group);

export const InGroupOf = ({ document: { group } }: Dialect) => ApiTags(...(group ? [group.name] : []));

export const groupOf = ({ name }: Model): string => `Model ${name}`;

/** In the order in which a new user needs them: the first calls, the models, everything else. */
export function describeGroups(document: OpenAPIObject, models: readonly Model[]): void {
  const { 'Start here': first, Service: last, ...others } = GROUPS;
  document.tags = described({
    'Start here': first,
    ...Object.fromEntries(models.map((model) => [groupOf(model), `Predict with ${model.name}.`])),
    ...others,
    ...Object.fromEntries(
      dialects.flatMap(({ document: { group } }) =>
        group?.description === undefined ? [] : [[group.name, group.description]],
      ),
    ),
    Service: last,
  });
}

const described = (groups: Record<string, string>) =>
  Object.entries(groups).map(([name, description]) => ({ name, description }));

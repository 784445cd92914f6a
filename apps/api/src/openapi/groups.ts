import { ApiTags, type OpenAPIObject } from '@nestjs/swagger';
import type { Model } from '#libs/inference';

/** The groups of the documentation page, in the order in which somebody new needs them. */
export const GROUPS = {
  'Start here': 'Register, get a token, predict.',
  Models: 'What the models take and answer; for admins, their versions and aliases.',
  Batches: 'Files of rows, scored in the background.',
  Audit: 'The record of every answer.',
  Accounts: 'Who may call. For admins.',
  MLflow: 'What clients of an MLflow scoring server call.',
  'Open Inference Protocol': 'Version 2, which clients of KServe, Triton and MLServer call.',
  Service: 'Health and metrics, for those who operate it.',
} as const;

type Group = keyof typeof GROUPS;

export const InGroup = (group: Group) => ApiTags(group);

export const groupOf = ({ name }: Model): string => `Model ${name}`;

/** A group for each model comes after the first. */
export function describeGroups(document: OpenAPIObject, models: readonly Model[]): void {
  const [first, ...others] = Object.entries(GROUPS).map(([name, description]) => ({ name, description }));
  const ofModels = new Map(
    models.map((model) => [groupOf(model), { name: groupOf(model), description: descriptionOf(model) }]),
  );
  document.tags = [first!, ...ofModels.values(), ...others];
}

function descriptionOf({ name, manifest }: Model): string {
  return manifest.description ?? `Predict with ${name} or with one of its versions.`;
}

import type { Features } from '#libs/inference';

const MAX_NAME_LENGTH = 100;

export function isObject(value: unknown): value is Features {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function shortened(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;
}

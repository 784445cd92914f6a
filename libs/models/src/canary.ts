import { createHash } from 'node:crypto';

/**
 * Whether a user is among the `percent` that a canary answers: always the same users for a model, more of them as
 * the percentage grows, and others for another model.
 */
export function isInCanary(name: string, userId: number, percent: number): boolean {
  const place = createHash('sha256').update(`${name}:${userId}`).digest().readUInt32BE() / 2 ** 32;
  return place * 100 < percent;
}

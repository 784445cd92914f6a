import type { Model } from '#libs/inference';
import { writeJson } from '#libs/json';
import { isObject, type Dialect } from './dialects/dialect.js';
import { Allowance, LeftOut, MAX_EXCESS_BYTES, sizeOf } from './dialects/excess.js';

export { MAX_EXCESS_BYTES };

/**
 * An input as the JSON text that is recorded. Of one that was answered everything the answer was made of is there, so that
 * it can be asked again; of the rest of it, and of one that was refused, as much as its rows may have. What is left out is
 * told beside it: `"foretell_truncated": {"left_out": ["note"], "bytes": 1000007}`.
 */
export function recordedInput(
  dialect: Dialect,
  input: unknown,
  model: Model,
  { isAnswered, rowCount }: { isAnswered: boolean; rowCount: number | null },
): string {
  const text = writeJson(input);
  // Most are this small, and are looked at no further.
  if (text.length * 3 <= MAX_EXCESS_BYTES || Buffer.byteLength(text) <= MAX_EXCESS_BYTES) return text;
  const leftOut = new LeftOut();
  const kept = isAnswered
    ? dialect.abridge(input, model, leftOut)
    : whatFits(input, new Allowance(leftOut, rowCount ?? 1), leftOut);
  return leftOut.isEmpty ? text : writeJson(leftOut.toldIn(kept));
}

function whatFits(input: unknown, allowance: Allowance, leftOut: LeftOut): unknown {
  if (isObject(input)) return allowance.membersOf(input, () => false);
  leftOut.add(sizeOf(input));
  return undefined;
}

import type { Model } from '#libs/inference';
import { isObject, writeJson } from '#libs/json';
import type { Dialect } from './dialects/dialect.js';
import { Allowance, LeftOut, MAX_EXCESS_BYTES, sizeOf } from './dialects/excess.js';

export { MAX_EXCESS_BYTES };

/**
 * An input as the JSON text that is recorded. For an answered input, everything the answer was made of is there, so that
 * it can be asked again; the rest of it, and a refused input, are recorded up to a limit per row. A member says what was
 * left out: `"foretell_truncated": {"left_out": ["note"], "bytes": 1000007}`.
 */
export function recordedInput(
  dialect: Dialect,
  input: unknown,
  model: Model,
  { isAnswered, rowCount }: { isAnswered: boolean; rowCount: number | null },
): string {
  const text = writeJson(input);
  // Most are this small and need no closer look.
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

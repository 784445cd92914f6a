/** Deeper than any manifest; PostgreSQL and our own serialisation process it recursively. */
const MAX_DEPTH = 64;

/**
 * What part of a value, parsed from JSON, cannot be stored and returned as it is, and where; undefined if all can.
 * PostgreSQL's jsonb has neither NUL nor half of a surrogate pair, and JSON no infinite number.
 */
export function flawOf(value: unknown): string | undefined {
  const left: { value: unknown; path: readonly string[] }[] = [{ value, path: [] }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, path } = next;
    const place = path.join('.') || 'the file';
    if (path.length > MAX_DEPTH) return `${place}: is nested deeper than ${MAX_DEPTH} levels`;
    if (typeof value === 'number' && !Number.isFinite(value)) return `${place}: is too large for a number`;
    if (typeof value === 'string') {
      const flaw = flawOfText(value);
      if (flaw) return `${place}: ${flaw}`;
    }
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, member] of Object.entries(value)) {
      const flaw = flawOfText(key);
      if (flaw) return `${place}: the name of a member ${flaw}`;
      left.push({ value: member, path: [...path, key] });
    }
  }
  return undefined;
}

function flawOfText(text: string): string | undefined {
  if (text.includes('\0')) return 'has a NUL character in it';
  return text.isWellFormed() ? undefined : 'has half of a surrogate pair in it';
}

import { requireBidiRule } from './bidi-rule.js';
import { requireIdentifierClass } from './identifier-class.js';
import { PrecisError } from './precis-error.js';

/** All code points with a <wide> or <narrow> decomposition. */
const FULLWIDTH_AND_HALFWIDTH = /[\u3000\uFF01-\uFFEE]/g;

/**
 * The rules are applied until nothing changes (RFC 8264 §7), so that preparing a stored key again gives the same key.
 */
const MAX_ROUNDS = 4;

/** Two usernames are the same if this is equal (RFC 8265 §3.3). @throws PrecisError */
export function usernameCaseMapped(username: string): string {
  // toLowerCase ignores the locale, so a Turkish server gives the same key. It turns a final Σ into ς.
  return untilStable(username, (text) => text.toLowerCase());
}

/** The username as it is displayed, with its case (RFC 8265 §3.4). @throws PrecisError */
export function usernameCasePreserved(username: string): string {
  return untilStable(username, (text) => text);
}

function untilStable(username: string, mapCase: (text: string) => string): string {
  let text = username;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const enforced = enforce(text, mapCase);
    if (enforced === text) return text;
    text = enforced;
  }
  throw new PrecisError('has no stable form');
}

/**
 * In the order of RFC 8264 §7, which checks the characters last. Canonically equivalent spellings, such as U+0958 and the
 * two characters that it stands for, are then always treated the same.
 */
function enforce(username: string, mapCase: (text: string) => string): string {
  const wide = username.replace(FULLWIDTH_AND_HALFWIDTH, (character) => character.normalize('NFKC'));
  const normalized = mapCase(wide).normalize('NFC');
  requireIdentifierClass(normalized);
  requireBidiRule(normalized);
  if (normalized === '') throw new PrecisError('must not be empty');
  return normalized;
}

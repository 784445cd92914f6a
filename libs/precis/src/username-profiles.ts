import { requireBidiRule } from './bidi-rule.js';
import { requireIdentifierClass } from './identifier-class.js';
import { PrecisError } from './precis-error.js';

/** Everything whose decomposition Unicode calls <wide> or <narrow>. */
const FULLWIDTH_AND_HALFWIDTH = /[\u3000\uFF01-\uFFEE]/g;

/**
 * The rules are applied until they change nothing more (RFC 8264 §7): then what is stored is what is found, however
 * often it is prepared again.
 */
const MAX_ROUNDS = 4;

/** Two usernames are one if this is equal (RFC 8265 §3.3). @throws PrecisError */
export function usernameCaseMapped(username: string): string {
  // Not of a locale: a name must not become another on a Turkish server. Greek words end as they are written.
  return untilStable(username, (text) => text.toLowerCase());
}

/** A username as it is shown: like the other, with the case that it was given (RFC 8265 §3.4). @throws PrecisError */
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
 * In the order of RFC 8264 §7, where characters are judged last: two spellings that are canonically equivalent (U+0958
 * and the two characters it stands for) are then one name, or no name, but never one of each.
 */
function enforce(username: string, mapCase: (text: string) => string): string {
  const wide = username.replace(FULLWIDTH_AND_HALFWIDTH, (character) => character.normalize('NFKC'));
  const normalized = mapCase(wide).normalize('NFC');
  requireIdentifierClass(normalized);
  requireBidiRule(normalized);
  if (normalized === '') throw new PrecisError('must not be empty');
  return normalized;
}

import { PrecisError } from './precis-error.js';

/** The categories of RFC 8264 §9, with their letters. Unassigned code points are in none of them. */
const LETTER_DIGITS_A = /[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]/u;
const OLD_HANGUL_JAMO_I = /[\u1100-\u11FF\uA960-\uA97C\uD7B0-\uD7C6\uD7CB-\uD7FB]/;
const ASCII7_K = /[\x21-\x7E]/;
const IGNORABLE_M = /[\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u;
const hasCompatQ = (character: string) => character.normalize('NFKC') !== character;

/** The exceptions (F) of RFC 5892 §2.6, without those that depend on context, which follow. */
const VALID_BY_EXCEPTION = /[\u00DF\u03C2\u06FD\u06FE\u0F0B\u3007]/;
const DISALLOWED_BY_EXCEPTION = /[\u0640\u07FA\u302E\u302F\u3031-\u3035\u303B]/;

type ContextRule = (before: string, after: string, text: string) => boolean;

const ARABIC_INDIC_DIGIT = /[\u0660-\u0669]/;
const EXTENDED_ARABIC_INDIC_DIGIT = /[\u06F0-\u06F9]/;

/**
 * RFC 5892 appendix A, without its first two rules. Those allow the joiners U+200C and U+200D in some scripts; here they are
 * always refused, because a name that contains one looks the same as the name without it.
 */
const CONTEXT_RULES: readonly [RegExp, ContextRule][] = [
  [/\u00B7/, (before, after) => /[lL]$/.test(before) && /^[lL]/.test(after)],
  [/\u0375/, (_, after) => /^\p{Script=Greek}/u.test(after)],
  [/[\u05F3\u05F4]/, (before) => /\p{Script=Hebrew}$/u.test(before)],
  [/\u30FB/, (_, __, text) => /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text)],
  [ARABIC_INDIC_DIGIT, (_, __, text) => !EXTENDED_ARABIC_INDIC_DIGIT.test(text)],
  [EXTENDED_ARABIC_INDIC_DIGIT, (_, __, text) => !ARABIC_INDIC_DIGIT.test(text)],
];

/** @throws PrecisError that names the first character outside the IdentifierClass (RFC 8264 §4.2) */
export function requireIdentifierClass(text: string): void {
  let at = 0;
  for (const character of text) {
    const after = at + character.length;
    if (!isAllowed(character, text.slice(0, at), text.slice(after), text)) {
      throw PrecisError.character(character);
    }
    at = after;
  }
}

/** The algorithm of RFC 8264 §8, in the same order. */
function isAllowed(character: string, before: string, after: string, text: string): boolean {
  if (VALID_BY_EXCEPTION.test(character)) return true;
  if (DISALLOWED_BY_EXCEPTION.test(character)) return false;
  const contextRule = CONTEXT_RULES.find(([characters]) => characters.test(character))?.[1];
  if (contextRule) return contextRule(before, after, text);
  if (ASCII7_K.test(character)) return true;
  if (OLD_HANGUL_JAMO_I.test(character) || IGNORABLE_M.test(character)) return false;
  return !hasCompatQ(character) && LETTER_DIGITS_A.test(character);
}

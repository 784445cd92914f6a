import { PrecisError } from './precis-error.js';

/**
 * Unicode's Bidi_Class, for the characters that the IdentifierClass allows: regular expressions do not know this property.
 * R and AL are one class here, because the rule treats them alike; so are ES, CS, ET and ON, which it allows in any text.
 * Unicode reserves blocks for scripts that are written from right to left, so the ranges also cover letters that are
 * not assigned yet.
 */
type BidiClass = 'EN' | 'AN' | 'NSM' | 'R' | 'neutral' | 'L';

const CLASSES: readonly [BidiClass, RegExp][] = [
  ['EN', /[0-9\u06F0-\u06F9]/],
  ['AN', /[\u0660-\u0669\u{10D30}-\u{10D39}\u{10D40}-\u{10D49}]/u],
  ['NSM', /\p{Mn}/u],
  ['R', /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFF\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u],
  [
    'neutral',
    /[\x21-\x7E\u00B7\u02B9\u02BA\u02C6-\u02CF\u02EC\u0375\u2E2F\u30FB\uA67F\uA717-\uA71F\uA788](?<![A-Za-z])/,
  ],
];

function classOf(character: string): BidiClass {
  return CLASSES.find(([, characters]) => characters.test(character))?.[0] ?? 'L';
}

/**
 * Checks the six conditions of RFC 5893 §2 if the text contains anything that is written from right to left.
 * @throws PrecisError
 */
export function requireBidiRule(text: string): void {
  const classes = Array.from(text, classOf);
  if (!classes.includes('R') && !classes.includes('AN')) return;
  // Condition 1, and also 5 and 6: a left-to-right text must not contain R or AN, and this one does.
  const beginsRightToLeft = classes[0] === 'R';
  const isMixed = classes.includes('L'); // 2
  const last = classes.findLast((bidiClass) => bidiClass !== 'NSM'); // 3
  const endsWell = last === 'R' || last === 'EN' || last === 'AN';
  const hasBothDigits = classes.includes('EN') && classes.includes('AN'); // 4
  if (beginsRightToLeft && !isMixed && endsWell && !hasBothDigits) return;
  throw new PrecisError(
    'must, where it is written from right to left, begin with such a letter, end with such a letter or a digit, ' +
      'and have no letters of the other direction or digits of two kinds in it',
  );
}

import { PrecisError } from './precis-error.js';

/**
 * Unicode's Bidi_Class of what the IdentifierClass lets pass, which regular expressions have no name for. R and AL are
 * one here, because the rule never tells them apart, and so are the classes that it allows in any text (ES, CS, ET, ON).
 * A script that is written from right to left has its place in blocks that Unicode keeps for such scripts, so that
 * letters that are yet to be assigned are known as well.
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
 * The six conditions of RFC 5893 §2, for text that has something written from right to left in it.
 * @throws PrecisError
 */
export function requireBidiRule(text: string): void {
  const classes = Array.from(text, classOf);
  if (!classes.includes('R') && !classes.includes('AN')) return;
  // 1, and 5 and 6 with it: text that begins from left to right has nothing of R or AN in it.
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

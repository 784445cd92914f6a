import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PrecisError } from './precis-error.js';
import { usernameCaseMapped, usernameCasePreserved } from './username-profiles.js';

function refusalOf(username: string): string {
  const mapped = acceptedBy(usernameCaseMapped, username);
  return mapped instanceof PrecisError ? mapped.message : `accepted as ${mapped}`;
}

function acceptedBy(profile: (text: string) => string, text: string): string | PrecisError {
  try {
    return profile(text);
  } catch (error) {
    if (error instanceof PrecisError) return error;
    throw error;
  }
}

describe('the examples of RFC 8265', () => {
  test.each([
    [1, 'juliet@example.com', 'juliet@example.com'],
    [2, 'fussball', 'fussball'],
    [3, 'fußball', 'fußball'],
    [4, 'π', 'π'],
    [5, 'Σ', 'σ'],
    [6, 'σ', 'σ'],
    [7, 'ς', 'ς'],
  ])('%i, %s, is legal', (_, username, mapped) => {
    expect(usernameCaseMapped(username)).toBe(mapped);
    expect(usernameCasePreserved(username)).toBe(username);
  });

  test.each([
    [8, 'foo bar', 'must not contain U+0020'],
    [9, '', 'must not be empty'],
    [10, 'henryⅣ', 'must not contain U+2163'],
    [11, '♚', 'must not contain U+265A'],
  ])('%i, %s, is not', (_, username, reason) => {
    expect(() => usernameCasePreserved(username)).toThrow(reason);
    expect(() => usernameCaseMapped(username)).toThrow(PrecisError);
  });
});

describe('the rules, in their order', () => {
  test.each([
    ['width', 'ＡｄＡ＠ｅｘａｍｐｌｅ', 'ada@example', 'AdA@example'],
    ['halfwidth katakana, composed', 'ﾀﾞｲ', 'ダイ', 'ダイ'],
    ['case', 'ÄÖÜẞ', 'äöüß', 'ÄÖÜẞ'],
    ['case, whatever the locale', 'ITIR', 'itir', 'ITIR'],
    ['a capital I with a dot', 'İDA', 'i\u0307da', 'İDA'],
    ['Greek words', 'ΟΔΟΣ', 'οδος', 'ΟΔΟΣ'],
    ['Cherokee, whose small letters came later', 'ᎠᎩ', 'ꭰꭹ', 'ᎠᎩ'],
    ['normalization', 'A\u030A', 'å', 'Å'],
  ])('%s', (_, username, mapped, preserved) => {
    expect(usernameCaseMapped(username)).toBe(mapped);
    expect(usernameCasePreserved(username)).toBe(preserved);
  });

  test.each([
    ['Hindi', '\u0958लम', '\u0915\u093Cलम'],
    ['Bengali', 'বা\u09DCি', 'বা\u09A1\u09BCি'],
    ['a Kelvin sign', '\u212Aelvin', 'kelvin'],
    ['an Angstrom sign', '\u212Bsa', 'åsa'],
  ])('spellings that are canonically equivalent are one name: %s', (_, one, other) => {
    expect(usernameCaseMapped(one)).toBe(usernameCaseMapped(other));
    expect(usernameCaseMapped(usernameCasePreserved(one))).toBe(usernameCaseMapped(other));
  });
});

describe('the exceptions of RFC 5892', () => {
  test.each(['\u06FDا', '་', '〇'])('%s is allowed, although it is a sign', (character) => {
    expect(refusalOf(character)).not.toMatch(/must not contain/);
  });

  test.each(['\u0640', '\u07FA', '\u302E', '\u3031', '\u303B'])(
    '%s is not, a letter though it is',
    (character) => {
      expect(refusalOf(`ا${character}`)).toMatch(/^must not contain U\+/);
    },
  );

  test.each<[string, string[], string[]]>([
    ['a middle dot between two l', ['col·lega', 'COL·LEGA'], ['a·b', 'l·', '·l', 'l·a']],
    ['a keraia before Greek', ['͵α'], ['α͵', '͵a']],
    ['geresh after Hebrew', ['א׳', 'א״א'], ['׳א', 'a׳']],
    ['a dot in Japanese', ['ジョン・スミス', '山・川'], ['a・b', '・']],
    ['digits of one kind', ['ا٠١', 'ا۰۱'], ['ا٠۱']],
    ['invisible joiners nowhere', [], ['क्\u200Dष', 'क्\u200Cष', 'ن\u200Cن', 'a\u200Db']],
  ])('%s', (_, allowed, refused) => {
    for (const username of allowed) expect(refusalOf(username)).toMatch(/^accepted/);
    for (const username of refused) expect(refusalOf(username)).toMatch(/^must not contain U\+/);
  });

  test.each(['ᄀ', 'ퟋ', 'ꥠ'])('an old Hangul letter is refused: %s', (character) => {
    expect(refusalOf(character)).toMatch(/^must not contain/);
  });
});

describe('the Bidi rule of RFC 5893', () => {
  test.each([
    ['Hebrew', 'אברהם'],
    ['Hebrew with points', 'אַבְרָ'],
    ['Arabic with its digits', 'سارة٢٠'],
    ['Arabic with European digits', 'سارة20'],
    ['with a hyphen and dots', 'א-ב.ג'],
    ['with a neutral letter', 'אˆב'],
    ['N’Ko', 'ߊߋ߁'],
    ['Adlam', '𞤀𞤁'],
    ['Old Uyghur, of Unicode 14', '𐽰𐽱'],
    ['no letter from right to left at all', '123-abc'],
    ['Latin that begins with a digit', '1a'],
  ])('accepts %s', (_, username) => {
    expect(refusalOf(username)).toMatch(/^accepted/);
  });

  test.each([
    ['1: it begins with a digit', '1א'],
    ['1: it begins with a hyphen', '-א'],
    ['1: it begins with an Arabic digit', '٢سا'],
    ['2: it has Latin in it', 'אaא'],
    ['2: it has Chinese in it', 'א龍א'],
    ['3: it ends with a hyphen', 'א-'],
    ['3: it ends with a hyphen and a point', 'א-\u05B7'],
    ['4: it has digits of two kinds', 'س1٢'],
    ['5: Latin has Hebrew in it', 'aאb'],
    ['5: Latin has Arabic digits in it', 'a٢'],
    ['6: Latin ends with Hebrew', 'aא'],
  ])('refuses what breaks condition %s', (_, username) => {
    expect(refusalOf(username)).toMatch(/right to left/);
  });
});

describe('any input', () => {
  const units = (within: { min: number; max: number }, maxLength: number) =>
    fc.array(fc.integer(within), { maxLength }).map((codes) => String.fromCharCode(...codes));
  const typed = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    units({ min: 0, max: 0xffff }, 6),
    units({ min: 0xc0, max: 0x1fff }, 3),
  );
  const accepted = (profile: (text: string) => string, text: string) => {
    const found = acceptedBy(profile, text);
    return found instanceof PrecisError ? undefined : found;
  };

  test('the result does not change again, and other cases, widths and compositions give the same name', () => {
    let names = 0;
    fc.assert(
      fc.property(typed, (text) => {
        const mapped = accepted(usernameCaseMapped, text);
        const preserved = accepted(usernameCasePreserved, text);
        if (mapped !== undefined) {
          names++;
          expect(usernameCaseMapped(mapped)).toBe(mapped);
        }
        if (preserved !== undefined) expect(usernameCasePreserved(preserved)).toBe(preserved);
        // The displayed form leads to the same key.
        if (mapped !== undefined && preserved !== undefined)
          expect(usernameCaseMapped(preserved)).toBe(mapped);
      }),
      { numRuns: 20_000 },
    );
    expect(names).toBeGreaterThan(500);
  });

  // Beyond this there are only unassigned and private-use code points.
  test('every single character is either refused, or still allowed when it is prepared again', () => {
    let allowed = 0;
    const wrong: string[] = [];
    for (let codePoint = 0; codePoint < 0x40000; codePoint++) {
      const mapped = accepted(usernameCaseMapped, String.fromCodePoint(codePoint));
      if (mapped === undefined) continue;
      allowed++;
      const isHidden = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u.test(mapped);
      if (isHidden || accepted(usernameCaseMapped, mapped) !== mapped) wrong.push(codePoint.toString(16));
    }
    expect(wrong).toEqual([]);
    expect(allowed).toBeGreaterThan(100_000);
  });
});

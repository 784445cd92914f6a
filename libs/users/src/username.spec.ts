import { describe, expect, test } from 'vitest';
import { findUsernameProblem, readUsername, usernameKeys } from './username.js';

describe('a new username', () => {
  test('has at most 64 characters after normalisation', () => {
    expect(findUsernameProblem('ä'.repeat(64))).toBeUndefined();
    expect(findUsernameProblem('a\u0308'.repeat(64))).toBeUndefined();
    expect(findUsernameProblem('𞤀'.repeat(64))).toBeUndefined();
    expect(findUsernameProblem('a'.repeat(65))).toBe('must be at most 64 characters long');
    expect(findUsernameProblem('𞤀'.repeat(65))).toBe('must be at most 64 characters long');
    // Refused by its length alone, before it is normalised.
    expect(findUsernameProblem('\u0300'.repeat(1_000_000))).toBe('must be at most 64 characters long');
  });

  test('that is refused names the character as it was typed', () => {
    expect(findUsernameProblem('henryⅣ')).toBe('must not contain U+2163');
  });

  test('is shown as it was typed, and has a key', () => {
    expect(readUsername('Zoe\u0308')).toEqual({ shown: 'Zoë', key: 'zoë' });
  });
});

describe('the keys that a user may be found by', () => {
  test.each<[string, string[]]>([
    ['ada', ['ada']],
    ['Ada', ['ada', 'Ada']],
    ['ＡＤＡ', ['ada', 'ａｄａ', 'ＡＤＡ']],
    ['Ada Lovelace', ['ada lovelace', 'Ada Lovelace']],
    ['a\u200Bda', ['a\u200Bda']],
    ['a'.repeat(100), ['a'.repeat(100)]],
    ['', ['']],
    ['a\0da', []],
    ['a\uD800', []],
  ])('of %j are %j', (typed, keys) => {
    expect(usernameKeys(typed)).toEqual(keys);
  });
});

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { call } from '../support/client.js';
import { expectProblem, pointersOf } from '../support/problems.js';
import { prepareService } from '../support/prepared-service.js';

const { database, api } = prepareService();

const PASSWORD = 'correct horse';
const suffix = () => randomBytes(4).toString('hex');
const register = (username: string, password = PASSWORD) =>
  call(api, 'POST', '/register-user', { body: { username, password, email: 'person@example.org' } });
const login = (username: string, password = PASSWORD) =>
  call(api, 'POST', '/token', { body: { username, password } });

describe('a username is prepared by PRECIS, UsernameCaseMapped (RFC 8265)', () => {
  test.each<[string, (tail: string) => string, (tail: string) => string]>([
    ['case', (tail) => `Ada-${tail}`, (tail) => `aDA-${tail.toUpperCase()}`],
    ['case beyond ASCII', (tail) => `Ärztin-${tail}`, (tail) => `äRZTIN-${tail}`],
    ['case of Greek words', (tail) => `${tail}ΟΔΟΣ`, (tail) => `${tail}οδος`],
    ['composition', (tail) => `zoë-${tail}`, (tail) => `zoe\u0308-${tail}`],
    ['case and composition', (tail) => `Ärztin-${tail}`, (tail) => `a\u0308rztin-${tail}`],
    ['width', (tail) => `ada-${tail}`, (tail) => `ＡＤＡ－${tail}`],
    ['the width of katakana', (tail) => `ダイ${tail}`, (tail) => `ﾀﾞｲ${tail}`],
  ])('names that differ in %s are one name', async (_, nameOf, alikeOf) => {
    const tail = suffix();
    const [name, alike] = [nameOf(tail), alikeOf(tail)];
    const first = await register(name);
    expect(first.status).toBe(201);
    const second = await register(alike);
    expectProblem(second, 409, 'User already exists');
    expect(second.body.user_id).toBe(first.body.user_id);
    for (const username of [name, alike, name.toUpperCase()]) {
      expect((await login(username)).status, username).toBe(200);
    }
  });

  test('its case is kept for people to read; width and composition are not', async () => {
    const tail = suffix();
    await register(`ＺＯＥ\u0308－${tail}`);
    const rows = await database.query('SELECT username FROM users WHERE username LIKE $1', [`%${tail}`]);
    expect(rows).toEqual([{ username: `ZOË-${tail}` }]);
  });

  test('İDA is not ida', async () => {
    const tail = suffix();
    expect((await register(`ida${tail}`)).status).toBe(201);
    expect((await login(`İDA${tail}`)).status).toBe(401);
    expect((await register(`İDA${tail}`, 'another password')).status).toBe(201);
    expect((await login(`İDA${tail}`, 'another password')).status).toBe(200);
    expect((await login(`i\u0307da${tail}`, 'another password')).status).toBe(200);
    expect((await login(`ida${tail}`)).status).toBe(200);
  });

  test.each<[string, string, RegExp]>([
    ['a zero-width space', 'ad\u200Ba', /U\+200B/],
    ['a zero-width joiner', 'ad\u200Da', /U\+200D/],
    ['a zero-width non-joiner', 'ad\u200Ca', /U\+200C/],
    ['a word joiner', 'ad\u2060a', /U\+2060/],
    ['a byte order mark', '\uFEFFada', /U\+FEFF/],
    ['a soft hyphen', 'ad\u00ADa', /U\+00AD/],
    ['a right-to-left override', 'ad\u202Ea', /U\+202E/],
    ['a right-to-left mark', 'ada\u200F', /U\+200F/],
    ['a line separator', 'ad\u2028a', /U\+2028/],
    ['a line break', 'ad\na', /U\+000A/],
    ['a tab', 'ad\ta', /U\+0009/],
    ['NUL', 'ad\0a', /U\+0000/],
    ['a space', 'ada lovelace', /U\+0020/],
    ['a space around', ' ada', /U\+0020/],
    ['a no-break space', 'ada\u00A0lovelace', /U\+00A0/],
    ['a wide space', 'ada\u3000lovelace', /U\+0020/],
    ['a combining grapheme joiner', 'ad\u034Fa', /U\+034F/],
    ['a variation selector', 'ad\uFE0Fa', /U\+FE0F/],
    ['a tag', 'ada\u{E0061}', /U\+E0061/],
    ['a Hangul filler', 'ada\u3164', /U\+3164/],
    ['a ligature', 'ﬁsh', /U\+FB01/],
    ['a Roman numeral', 'henryⅣ', /U\+2163/],
    ['a mathematical letter', '𝐚da', /U\+1D41A/],
    ['a symbol', '♚', /U\+265A/],
    ['an emoji', 'ada😀', /U\+1F600/],
    ['a letter of private use', 'ada\uE000', /U\+E000/],
    ['a letter that does not exist', 'ada\u0378', /U\+0378/],
    ['a lone surrogate', 'ada\uD800', /U\+D800/],
    ['directions that mix', 'adaאב', /right to left/],
    ['nothing', '', /./],
    ['65 characters', 'a'.repeat(65), /64/],
    ['65 characters, of which one is in two parts', `${'a'.repeat(64)}😀`.slice(1), /U\+1F600/],
  ])('a name with %s is refused, and told why', async (_, username, reason) => {
    const answer = await register(username);
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([{ detail: expect.stringMatching(reason), pointer: '#/username' }]);
    // The answer does not repeat the name.
    if (username.length > 2) expect(answer.text).not.toContain(username);
    expect((await login(username)).status).toBe(401);
  });

  test.each<[string, string]>([
    ['Hebrew', 'אברהם'],
    ['Arabic with digits', 'سارة٢٠'],
    ['Persian', 'محمد'],
    ['Hindi', 'अदिति'],
    ['Thai', 'สมชาย'],
    ['Chinese', '李小龍'],
    ['Korean', '김민준'],
    ['an address', 'juliet@example.com'],
    ['punctuation of ASCII', '!#$%&*+/=?^_`{|}~'],
    ['Catalan', 'col·lega'],
    ['64 characters', 'ä'.repeat(64)],
    ['64 characters once they are composed', 'a\u0308'.repeat(63) + 'x'],
  ])('a name may be %s', async (_, username) => {
    expect((await register(username)).status).toBe(201);
    expect((await login(username)).status).toBe(200);
  });

  test.each<[string, (tail: string) => string[]]>([
    ['case', (tail) => [`ada${tail}`, `ADA${tail}`, `aDa${tail}`]],
    ['width', (tail) => [`ada${tail}`, `ａda${tail}`, `ＡＤＡ${tail}`]],
    ['composition', (tail) => [`zoë${tail}`, `zoe\u0308${tail}`, `ZOË${tail}`]],
  ])('failed logins are counted together whatever the %s', async (_, spellingsOf) => {
    const tail = suffix();
    const spellings = spellingsOf(tail);
    await register(spellings[0]!);
    for (let attempt = 0; attempt < 10; attempt++) {
      expect((await login(spellings[attempt % 3]!, 'wrong')).status).toBe(401);
    }
    for (const username of spellings) expect((await login(username)).status).toBe(429);
  });
});

test('all bad fields are named at once, including the username', async () => {
  const answer = await call(api, 'POST', '/register-user', {
    body: { username: 'ad\u200Ba', password: '', email: 'x' },
  });
  expect(answer.status).toBe(400);
  expect(pointersOf(answer)).toEqual(['#/username', '#/password', '#/email']);
});

describe('an email address', () => {
  const registerWith = (email: string) =>
    call(api, 'POST', '/register-user', { body: { username: `user-${suffix()}`, password: 'x', email } });

  test.each<[string, string]>([
    ['a zero-width space', 'a\u200Bda@example.org'],
    ['a right-to-left override', 'a\u202Eda@example.org'],
    ['a line separator', 'a\u2028da@example.org'],
    ['a no-break space', 'a\u00A0da@example.org'],
    ['a lone surrogate', 'a\uD800@example.org'],
    ['255 characters', `ada@${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${'w'.repeat(60)}.example`],
  ])('with %s is refused', async (_, email) => {
    const answer = await registerWith(email);
    expect(answer.status).toBe(400);
    expect(pointersOf(answer)).toEqual(['#/email']);
  });

  test('is kept composed', async () => {
    const { body } = await registerWith('zoe\u0308@example.org');
    expect(await database.query('SELECT email FROM users WHERE id = $1', [body.user_id])).toEqual([
      { email: 'zoë@example.org' },
    ]);
  });
});

describe('a value longer than any name or password', () => {
  test.each(['username', 'password'])('as %s is refused before anything is done with it', async (field) => {
    const long = { username: 'ada', password: 'x', email: 'ada@example.org', [field]: 'x'.repeat(12_000) };
    for (const path of ['/token', '/register-user']) {
      const answer = await call(api, 'POST', path, { body: long });
      expect([path, answer.status]).toEqual([path, 400]);
      expect(pointersOf(answer)).toEqual([`#/${field}`]);
      expect(answer.text.length).toBeLessThan(1_000);
    }
  });
});

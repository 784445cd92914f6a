import { describe, expect, test } from 'vitest';
import { loadConfig } from '#libs/config';
import { Problem } from '#libs/errors';
import { LoginThrottle } from './login-throttle.js';

const createThrottle = () => new LoginThrottle(loadConfig({ LOGIN_FAILURES_PER_MINUTE: '3' }));

/** Makes `count` attempts. @returns how many were allowed */
function attempts(
  throttle: LoginThrottle,
  count: number,
  nameOf: (number: number) => string,
  address = 'a',
): number {
  let through = 0;
  for (let number = 0; number < count; number++) {
    try {
      throttle.begin(nameOf(number), address);
      through++;
    } catch (error) {
      expect(error).toBeInstanceOf(Problem);
      expect((error as Problem).code).toBe('too-many-failed-logins');
    }
  }
  return through;
}

describe('failed logins', () => {
  test('are counted per name and address', () => {
    const throttle = createThrottle();
    expect(attempts(throttle, 10, () => 'ada')).toBe(3);
    expect(attempts(throttle, 10, () => 'ben')).toBe(3);
    expect(attempts(throttle, 10, () => 'ada', 'b')).toBe(3);
  });

  test('of all names are counted per address, with ten times the limit', () => {
    const throttle = createThrottle();
    expect(attempts(throttle, 100, (number) => `user-${number}`)).toBe(30);
    expect(attempts(throttle, 10, () => 'ada')).toBe(0);
    expect(attempts(throttle, 10, () => 'ada', 'b')).toBe(3);
  });

  test('for a name that is already refused do not throttle its address', () => {
    const throttle = createThrottle();
    expect(attempts(throttle, 1_000, () => 'ada')).toBe(3);
    expect(attempts(throttle, 3, () => 'ben')).toBe(3);
  });

  test.each([
    ['case', ['ida', 'IDA', 'iDa']],
    ['width', ['ida', 'ＩＤＡ', 'ｉda']],
    ['composition', ['zoë', 'zoe\u0308', 'ZOË']],
    ['case, of a name that PRECIS refuses', ['ada lovelace', 'Ada Lovelace', 'ADA LOVELACE']],
  ])('count for one name, whatever its %s', (_, spellings) => {
    expect(attempts(createThrottle(), 30, (number) => spellings[number % 3]!)).toBe(3);
  });

  test('count for another name if the user is another: İDA is not ida', () => {
    const throttle = createThrottle();
    expect(attempts(throttle, 10, () => 'İDA')).toBe(3);
    expect(attempts(throttle, 10, () => 'ida')).toBe(3);
  });
});

test('a success forgives those of its name, and a skipped attempt does not count', () => {
  const throttle = createThrottle();
  for (let round = 0; round < 14; round++) {
    expect(attempts(throttle, 2, () => 'ada')).toBe(2);
    throttle.begin('ada', 'a').succeeded();
  }
  // The address still has two failures from each round.
  expect(attempts(throttle, 10, () => 'ben')).toBe(2);
  const another = createThrottle();
  for (let round = 0; round < 100; round++) another.begin('ada', 'a').notMade();
  expect(attempts(another, 10, () => 'ada')).toBe(3);
});

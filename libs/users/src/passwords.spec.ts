import bcrypt from 'bcrypt';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadConfig } from '#libs/config';
import { Problem } from '#libs/errors';
import { Passwords } from './passwords.js';

// On any machine, half of the cores are three here.
vi.mock('node:os', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:os')>()),
  availableParallelism: () => 7,
}));
const HALF_THE_CORES = 3;

afterEach(() => void vi.restoreAllMocks());

function createPasswords(environment: Record<string, string> = {}): Passwords {
  return new Passwords(loadConfig({ BCRYPT_COST: '4', ...environment }));
}

describe('a password', () => {
  test('matches its own hash and no other', async () => {
    const passwords = createPasswords();
    const hash = await passwords.hash('correct horse');
    expect(hash).toMatch(/^\$2b\$04\$/);
    expect(await passwords.matches('correct horse', hash)).toBe(true);
    expect(await passwords.matches('Correct horse', hash)).toBe(false);
    expect(await passwords.matches('', hash)).toBe(false);
    expect(await passwords.hash('correct horse')).not.toBe(hash);
  });

  test.each([
    ['ASCII', 'x'.repeat(72)],
    ['of two bytes', 'ü'.repeat(36)],
    ['of four bytes', '😀'.repeat(18)],
  ])('of 72 bytes is accepted, of 73 refused: characters %s', async (_, password) => {
    const passwords = createPasswords();
    const hash = await passwords.hash(password);
    expect(await passwords.matches(password, hash)).toBe(true);
    await expect(passwords.hash(password + 'x')).rejects.toMatchObject({
      code: 'bad-request',
      members: { errors: [{ detail: expect.stringContaining('72 bytes'), pointer: '#/password' }] },
    });
  });

  test('with 72 right bytes and more after them does not match: bcrypt alone would not notice', async () => {
    const passwords = createPasswords();
    const hash = await passwords.hash('x'.repeat(72));
    expect(await bcrypt.compare('x'.repeat(73), hash)).toBe(true);
    expect(await passwords.matches('x'.repeat(73), hash)).toBe(false);
  });

  test('with a lone surrogate in it is refused: all of them would hash the same', async () => {
    const passwords = createPasswords();
    await expect(passwords.hash('half \uD83D')).rejects.toMatchObject({ code: 'bad-request' });
    expect(await passwords.matches('half \uD83D', await passwords.hash('half \uFFFD'))).toBe(false);
  });

  test('with NUL in it is refused, and matches nothing', async () => {
    const passwords = createPasswords();
    await expect(passwords.hash('before\0after')).rejects.toMatchObject({ code: 'bad-request' });
    expect(await passwords.matches('before\0after', await passwords.hash('before'))).toBe(false);
  });

  test('may be as short as PASSWORD_MIN_LENGTH, in characters', async () => {
    const passwords = createPasswords({ PASSWORD_MIN_LENGTH: '3' });
    await expect(passwords.hash('ü😀')).rejects.toThrow('at least 3 characters');
    await expect(passwords.hash('ü😀x')).resolves.toMatch(/^\$2b\$/);
  });

  test('is not repeated in a refusal', async () => {
    const refusal = await createPasswords()
      .hash('hunter2'.repeat(20))
      .catch((error: Problem) => error);
    expect(refusal).toBeInstanceOf(Problem);
    expect(JSON.stringify((refusal as Problem).toBody('1'))).not.toContain('hunter2');
  });
});

describe('without a hash', () => {
  test.each([undefined, null, ''])('nothing matches: %s', async (hash) => {
    const passwords = createPasswords();
    expect(await passwords.matches('anything', hash)).toBe(false);
    expect(await passwords.matches('', hash)).toBe(false);
    // The text behind the hash used if there is none, and the text compared with it.
    expect(await passwords.matches('no password has this hash', hash)).toBe(false);
  });

  test.each([
    ['an unknown user', 'anything', undefined],
    ['a password too long to have a hash', 'x'.repeat(73), '$2b$04$'],
  ])('%s costs one comparison at the same cost as a wrong password', async (_, password, hash) => {
    const passwords = createPasswords();
    const real = await passwords.hash('right');
    const compare = vi.spyOn(bcrypt, 'compare');
    await passwords.matches('wrong', real);
    await passwords.matches(password, hash);
    expect(compare).toHaveBeenCalledTimes(2);
    const costs = compare.mock.calls.map(([, compared]) => bcrypt.getRounds(compared));
    expect(costs).toEqual([4, 4]);
  });
});

describe('hashing and comparing', () => {
  /** bcrypt that works until the test ends it; counts how many calls run at a time. */
  function slowBcrypt() {
    const ends: (() => void)[] = [];
    const counts = { running: 0, most: 0, calls: 0 };
    const work = (result: unknown) => () => {
      counts.calls++;
      counts.most = Math.max(counts.most, ++counts.running);
      return new Promise((resolve) =>
        ends.push(() => {
          counts.running--;
          resolve(result);
        }),
      );
    };
    vi.spyOn(bcrypt, 'hash').mockImplementation(work('a hash') as typeof bcrypt.hash);
    vi.spyOn(bcrypt, 'compare').mockImplementation(work(true) as typeof bcrypt.compare);
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    return {
      counts,
      settle,
      endOne: async () => {
        ends.shift()!();
        await settle();
      },
    };
  }

  test('run on at most half of the cores, and one starts for each that ends', async () => {
    const slow = slowBcrypt();
    const passwords = createPasswords();
    await slow.settle();
    await slow.endOne(); // The hash used if there is none.
    const work = [
      ...Array.from({ length: 5 }, (_, index) => passwords.hash(`password ${index}`)),
      ...Array.from({ length: 5 }, () => passwords.matches('password', 'a hash')),
    ];
    await slow.settle();
    expect(slow.counts.running).toBe(HALF_THE_CORES);
    for (let left = 9; left >= 0; left--) {
      await slow.endOne();
      expect(slow.counts.running).toBe(Math.min(HALF_THE_CORES, left));
    }
    await Promise.all(work);
    expect(slow.counts).toMatchObject({ most: HALF_THE_CORES, calls: 11 });
  });

  test('refuse at once when the queue is full, separately for each purpose, and say when to retry', async () => {
    const slow = slowBcrypt();
    const passwords = createPasswords();
    await slow.settle();
    await slow.endOne();
    const logins = Array.from({ length: HALF_THE_CORES + 40 }, () => passwords.matches('password', 'a hash'));
    await slow.settle();
    expect([passwords.isBusy('login'), passwords.isBusy('registration')]).toEqual([true, false]);
    const overloaded = { code: 'overloaded', headers: { 'retry-after': '5' } };
    await expect(passwords.matches('one more', 'a hash')).rejects.toMatchObject(overloaded);
    const registrations = Array.from({ length: 40 }, (_, index) => passwords.hash(`password ${index}`));
    await slow.settle();
    await expect(passwords.hash('one more')).rejects.toMatchObject(overloaded);

    await slow.endOne();
    await slow.endOne();
    const next = passwords.hash('now there is room');
    while (slow.counts.running > 0) await slow.endOne();
    expect(await next).toBe('a hash');
    expect(await Promise.all(logins)).not.toContain(false);
    expect(await Promise.all(registrations)).toHaveLength(40);
  });
});

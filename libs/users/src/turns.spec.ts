import { expect, test } from 'vitest';
import { Turns } from './turns.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Work that runs until the test ends it, and a list of what was started. */
function workplace(places: number) {
  const turns = new Turns<'login' | 'registration'>(places, { login: 40, registration: 10 });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (kind: 'login' | 'registration', fails = false) =>
    turns.take(kind, () => {
      begun.push(kind[0]!);
      return new Promise<void>((resolve, reject) =>
        ends.push(() => (fails ? reject(new Error('it failed')) : resolve())),
      );
    });
  return {
    turns,
    take,
    begun: () => begun.join(''),
    endOne: async () => {
      ends.shift()!();
      await settle();
    },
  };
}

test('waiting kinds take turns, each in its own order', async () => {
  const place = workplace(1);
  for (let index = 0; index < 6; index++) void place.take('registration');
  for (let index = 0; index < 3; index++) void place.take('login');
  for (let index = 0; index < 9; index++) await place.endOne();
  expect(place.begun()).toBe('rlrlrlrrr');
});

test('a single arrival waits for one of those before it, not for all', async () => {
  const place = workplace(1);
  for (let index = 0; index < 10; index++) void place.take('registration');
  await place.endOne();
  void place.take('login');
  await place.endOne();
  await place.endOne();
  expect(place.begun().slice(0, 4)).toContain('l');
});

test('no place is free while something waits, whatever failed', async () => {
  const place = workplace(2);
  const work = [
    place.take('login', true),
    place.take('login'),
    place.take('login', true),
    place.take('login'),
  ];
  const over = Promise.allSettled(work);
  await settle();
  expect(place.begun()).toBe('ll');
  await place.endOne();
  expect(place.begun()).toBe('lll');
  for (let index = 0; index < 3; index++) await place.endOne();
  expect((await over).map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  // Both places are free again.
  for (let index = 0; index < 3; index++) void place.take('registration');
  await settle();
  expect(place.begun()).toBe('llllrr');
});

test('each kind has its own waiting limit', async () => {
  const place = workplace(1);
  for (let index = 0; index < 11; index++) void place.take('registration');
  expect([place.turns.isFull('registration'), place.turns.isFull('login')]).toEqual([true, false]);
  await place.endOne();
  expect(place.turns.isFull('registration')).toBe(false);
});

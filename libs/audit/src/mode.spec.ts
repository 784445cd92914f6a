import { expect, test } from 'vitest';
import { Mode } from './mode.js';

test('a mode changes as its table says, and in no other way', () => {
  const mode = new Mode('open', { open: ['ending'], ending: ['ended'], ended: [] });
  expect(() => mode.to('ended')).toThrow('open → ended');
  mode.to('ending');
  expect([mode.is('ending'), mode.is('open', 'ended')]).toEqual([true, false]);
  mode.to('ended');
  for (const next of ['open', 'ending', 'ended'] as const) expect(() => mode.to(next)).toThrow('ended →');
});

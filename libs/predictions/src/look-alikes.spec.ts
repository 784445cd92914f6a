import { expect, test } from 'vitest';
import { LookAlikes } from './look-alikes.js';

const found = (absent: string, ...unknown: string[]) => new LookAlikes(unknown).of(absent);

test.each([
  ['tenure', 'Tenure'],
  ['serum_creatinine', 'serumCreatinine'],
  ['serum_creatinine', 'SERUM CREATININE'],
  ['serumCreatinine', 'serum-creatinine'],
  ['age', ' age'],
  ['age', 'aeg'],
  ['age', 'ages'],
  ['age', 'ge'],
  ['platelets', 'platlets'],
  ['platelets', 'plateltes'],
  ['creatinine_phosphokinase', 'creatinin_phosphokinaze'],
  ['größe', 'Grösse'],
  ['İstanbul', 'istanbul'],
  ['x1', 'X_1'],
  ['__proto__', '__Proto__'],
])('%s is suggested for %s', (absent, unknown) => {
  expect(found(absent, 'something', unknown, 'else')).toBe(unknown);
});

test.each([
  ['age', 'sex'],
  ['age', 'note'],
  ['x1', 'x2'],
  ['sex', 'a_sex_b'],
  ['platelets', 'pellets'],
  ['serum_sodium', 'serum_creatinine'],
  ['a', ''],
  ['', ''],
  ['_', '-'],
])('%s is not suggested for %s', (absent, unknown) => {
  expect(found(absent, unknown)).toBeUndefined();
});

test('a name that differs only in case and punctuation is preferred to one with a different letter', () => {
  expect(found('tenure', 'tenura', 'TENURE')).toBe('TENURE');
});

test('a name longer than any column’s is not examined', () => {
  expect(found('age', `${'_'.repeat(1_000_000)}age`)).toBeUndefined();
});

test('many thousand names cost no more than a thousand', () => {
  const unknown = Array.from({ length: 75_000 }, (_, index) => `serum_creatinin${index}`);
  const started = performance.now();
  const lookAlikes = new LookAlikes(unknown);
  for (let column = 0; column < 5_000; column++) lookAlikes.of(`serum_creatinine_of_day_${column}`);
  expect(performance.now() - started).toBeLessThan(2_000);
});

import { describe, expect, test } from 'vitest';
import { isStage, parseAlias, parseModelReference } from './model-reference.js';

test.each([
  ['heart-failure', { name: 'heart-failure', alias: 'production' }],
  ['heart-failure@candidate', { name: 'heart-failure', alias: 'candidate' }],
  ['heart-failure@Candidate', { name: 'heart-failure', alias: 'candidate' }],
  ['models:/heart-failure', { name: 'heart-failure', alias: 'production' }],
  ['models:/heart-failure@candidate', { name: 'heart-failure', alias: 'candidate' }],
  ['models:/heart-failure/3', { name: 'heart-failure', version: '3' }],
  ['models:/heart-failure/2024-01.rc_1', { name: 'heart-failure', version: '2024-01.rc_1' }],
  ['models:/heart-failure/Production', { name: 'heart-failure', alias: 'production' }],
  ['models:/heart-failure/STAGING', { name: 'heart-failure', alias: 'staging' }],
  // A version may have any name that is not a stage.
  ['models:/heart-failure/candidate', { name: 'heart-failure', version: 'candidate' }],
  ['3d.model_2', { name: '3d.model_2', alias: 'production' }],
])('%s', (text, reference) => {
  expect(parseModelReference(text)).toEqual(reference);
});

test.each([
  '',
  ' heart-failure',
  'heart-failure\n',
  'Heart-Failure',
  '.hidden',
  '../heart-failure',
  'heart-failure/3',
  'heart-failure@',
  'heart-failure@3',
  'heart-failure@a@b',
  'models:heart-failure',
  'models://heart-failure/3',
  'models:/heart-failure/',
  'models:/heart-failure/..',
  'models:/heart-failure/3/4',
  'models:/heart-failure/3@candidate',
  'runs:/heart-failure/3',
])('%j is not a model', (text) => {
  expect(() => parseModelReference(text)).toThrow(expect.objectContaining({ code: 'model-not-found' }));
});

describe('an alias', () => {
  test('is a letter and further allowed characters, in any case', () => {
    expect(['production', 'Canary', 'team-b_2'].map(parseAlias)).toEqual([
      'production',
      'canary',
      'team-b_2',
    ]);
  });

  test.each(['', '2', '-a', 'a b', 'a/b', 'ä', 'a\n'])('%j is not an alias', (text) => {
    expect(() => parseAlias(text)).toThrow(expect.objectContaining({ code: 'bad-request' }));
  });

  test('that names a stage is not a version', () => {
    expect(['production', 'Staging', '1', 'candidate'].map(isStage)).toEqual([true, true, false, false]);
  });
});

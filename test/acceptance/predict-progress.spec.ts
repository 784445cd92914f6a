import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { COMMAND_LINE, type Ending } from '../support/data-dir.js';
import { FOREIGN } from '../support/artifacts.js';
import { models, ModelWorkplace } from '../support/model-workplace.js';
import {
  HEART_FAILURE,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  patients,
  predict,
  place,
} from '../support/scoring-place.js';

const SLOW = 'test/support/foreign-models/slow';

/** Two parts that take the slow model two to three seconds each, and an error in the first. */
function slowParts(): string {
  const padding = 'x'.repeat(60_000);
  const rows = Array.from({ length: 18 }, (_, row) => `${row},${row === 3 ? 'x' : 1},${padding}`);
  return `a,b,padding\n${rows.join('\n')}\n`;
}

describe('progress', () => {
  test('a line every two seconds without a terminal; standard output carries only data', async () => {
    place.write('in.csv', slowParts());
    const { code, stdout, stderr } = await predict([
      '-m',
      SLOW,
      '-i',
      place.path('in.csv'),
      '--threads',
      '1',
    ]);
    expect(code).toBe(3);
    expect(stdout.split('\n').map((line) => line.replace(/x{9,}/, ''))).toEqual([
      'a,b,padding,prediction,error',
      ...Array.from({ length: 18 }, (_, row) =>
        row === 3
          ? '3,x,,,"b must be a number, or a string in plain decimal notation"'
          : `${row},1,,${row + 1},`,
      ),
      '',
    ]);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '');
    expect(lines[0]).toMatch(/ \d+ %, \d+ rows, \d+ rows\/s, 1 with an error/);
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(/^Scored 18 rows in [\d.]+ s, \d+ rows\/s\.$/),
      '1 of 18 rows could not be scored; the column error says what is wrong.',
    ]);
    expect(stderr).not.toContain('\u001b');
  });

  test('a bar on a terminal', async ({ skip }) => {
    const run = promisify(execFile);
    const script = await run('script', ['--version']).catch(() => undefined);
    if (!script?.stdout.includes('util-linux'))
      skip('script of util-linux, which makes a terminal, is not here');
    place.write('in.csv', `${PATIENT_COLUMNS}\n${patients(60_000).join('\n')}\n`);
    const inner = ['predict', '-m', HEART_FAILURE, ...place.fromTo('in.csv', 'out.csv')];
    const terminal = async (...options: string[]) =>
      place.dataDir.spawn(
        'script',
        ['-qec', [process.execPath, COMMAND_LINE, ...inner, ...options].join(' '), '/dev/null'],
        {
          environment: { TERM: 'xterm' },
        },
      ).ended;
    const { code, stdout } = await terminal();
    expect(code).toBe(0);
    expect(stdout).toMatch(/█+░* 100 %, 60000 rows, \d+ rows\/s/);
    // Redrawn in place, and the cursor is visible afterwards.
    expect(stdout).toContain('\u001b[?25l');
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'));
    expect(await terminal('--quiet')).toMatchObject({ code: 0, stdout: '', stderr: '' });
  });

  test('nothing at all with --quiet, even if rows have errors', async () => {
    const text = `${PATIENT_COLUMNS}\n${PATIENT_ROW}\nold${PATIENT_ROW}\n`;
    const { code, stdout, stderr } = await predict(['--format', 'csv', '--quiet'], text);
    expect([code, stderr]).toEqual([3, '']);
    expect(stdout.split('\n')).toHaveLength(4);
  });
});

describe('a model of the registry', () => {
  test('by stage, alias and version; one that is not there is named', async () => {
    const workplace = await ModelWorkplace.create();
    place.write('in.csv', `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`);
    const run = (model: string): Promise<Ending> =>
      workplace.dataDir.foretell(['predict', '-m', model, '-i', place.path('in.csv'), '--quiet'], {
        environment: workplace.environment,
      });
    // No service was ever started: the models in MODEL_DIR are registered as a service would do it.
    expect(await run('models:/heart-failure/Production')).toMatchObject({ code: 0, stderr: '' });
    await models(workplace, 'register', 'test/support/foreign-models/heart-failure-2');
    await models(workplace, 'register', await workplace.make({ name: 'flowers' }, FOREIGN));
    await models(workplace, 'promote', 'heart-failure', '2', '--alias', 'next');
    const header = `${PATIENT_COLUMNS},yhat_prob,yhat,error\n`;
    for (const [model, answer] of [
      ['models:/heart-failure/Production', '0.5124506,1'],
      ['models:/heart-failure/1', '0.5124506,1'],
      ['models:/heart-failure@next', '0.52'],
      ['models:/heart-failure/2', '0.52'],
    ] as const) {
      const { code, stdout, stderr } = await run(model);
      expect([code, stderr], model).toEqual([0, '']);
      expect(stdout.startsWith(`${header}${PATIENT_ROW},${answer}`), stdout).toBe(true);
    }
    for (const [model, says] of [
      ['models:/heart-failure/9', /heart-failure/],
      ['models:/heart-failure@none', /none/],
      ['models:/none/Production', /none/],
      ['models:/flowers/1', /lacks 4 columns/],
      ['models:/', /models:\//],
    ] as const) {
      const { code, stdout, stderr } = await run(model);
      expect([code, stdout], model).toEqual([1, '']);
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(stderr).toMatch(says);
    }
    expect(await workplace.dataDir.processes()).toEqual([]);
  });
});

describe('help', () => {
  test('predict says what its options mean and how it ends; foretell lists the commands', async () => {
    const help = await predict(['-h']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const option of [
      '-m',
      '-i',
      '-o',
      '--format',
      '--output-format',
      '--errors',
      '--strict',
      '--resume',
      '--threads',
      '--quiet',
    ]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${option}\\b.* {2,}\\S`, 'm'));
    }
    expect(help.stdout).toContain(
      'Ends with 0 if every row was scored, 3 if some rows have an error, 1 if the run failed.',
    );
    const all = await place.dataDir.foretell(['--help']);
    expect(all.code).toBe(0);
    for (const command of ['serve', 'predict', 'migrate', 'users', 'models', 'demo']) {
      expect(all.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
    expect((await place.dataDir.foretell(['predictions'])).code).toBe(2);
  });
});

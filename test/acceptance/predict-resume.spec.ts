import { statSync, symlinkSync, utimesSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunningProcess } from '../support/data-dir.js';
import {
  COLUMNS,
  HEART_FAILURE,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  patients,
  predict,
  refused,
  scored,
  place,
  ScoringPlace,
} from '../support/scoring-place.js';

const ROWS = 200_000;
let large: string;

beforeAll(() => {
  const rows = patients(20_000);
  // Enough work for a while on one thread, with an error now and then.
  const all = Array.from(
    { length: ROWS },
    (_, id) => `${id},${id % 1000 === 7 ? 'x' : ''}${rows[id % rows.length]}`,
  );
  large = `id,${PATIENT_COLUMNS}\n${all.join('\n')}\n`;
});

const errorsIn = () => ['--errors', place.path('errors.csv')];

function start(args: string[]): RunningProcess {
  return place.dataDir.spawnForetell(['predict', '-m', HEART_FAILURE, '--threads', '1', ...args]);
}

const CHECKPOINT_EVERY_MS = 2_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const stateOf = (file: string) => statSync(file, { throwIfNoEntry: false });

/**
 * Runs until it has written a checkpoint of its own, and ends it with a signal. Stopping it as soon as it has written
 * something lets the time for the checkpoint pass, on machines of any speed.
 */
async function endInTheMiddle(args: string[], signal: NodeJS.Signals = 'SIGKILL') {
  const partial = `${args[args.indexOf('-o') + 1]!}.partial`;
  const checkpoint = `${partial}.checkpoint`;
  const before = { partial: stateOf(partial)?.mtimeMs, checkpoint: stateOf(checkpoint)?.mtimeMs };
  const running = start(args);
  let hasEnded = false;
  void running.ended.then(() => (hasEnded = true));
  const until = async (isSo: () => boolean) => {
    while (!isSo() && !hasEnded) await pause(5);
  };
  await until(() => {
    const written = stateOf(partial);
    return written !== undefined && written.size > 10_000 && written.mtimeMs !== before.partial;
  });
  running.process.kill('SIGSTOP');
  await pause(CHECKPOINT_EVERY_MS + 100);
  running.process.kill('SIGCONT');
  await until(() => ![undefined, before.checkpoint].includes(stateOf(checkpoint)?.mtimeMs));
  expect(hasEnded, `it ended before it was told to:\n${running.output()}`).toBe(false);
  return running.signal(signal);
}

const idsOf = (csv: string) =>
  place
    .lines(csv)
    .slice(1)
    .map((line) => Number.parseInt(line, 10));

/** A whole run's output, to compare with, in a folder of its own. */
async function undisturbed(output: string, ...others: string[]): Promise<ScoringPlace> {
  const whole = ScoringPlace.create();
  whole.write('in.csv', large);
  const errors = others.flatMap((name) => ['--errors', whole.path(name)]);
  const ending = await predict(whole.fromTo('in.csv', output, '--quiet', ...errors));
  expect(ending.code).toBe(3);
  return whole;
}

describe("a run that is killed leaves no file of the output's name, and --resume finishes it", () => {
  test('CSV with a file of errors: byte for byte the output of an undisturbed run', async () => {
    const whole = await undisturbed('out.csv', 'errors.csv');
    place.write('in.csv', large);
    const args = place.fromTo('in.csv', 'out.csv', ...errorsIn());
    expect(await endInTheMiddle(args)).toMatchObject({ signal: 'SIGKILL' });
    const left = ['errors.csv.partial', 'in.csv', 'out.csv.partial', 'out.csv.partial.checkpoint'];
    expect(place.files()).toEqual(left);

    // Killed once more while it is resumed.
    expect(await endInTheMiddle([...args, '--resume'])).toMatchObject({ signal: 'SIGKILL' });
    expect(place.files()).toEqual(left);

    const { code, stderr } = await predict([...args, '--resume']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/200 of 200000 rows could not be scored/);
    const [, added, before] = /^Scored (\d+) rows on top of (\d+) in /m.exec(stderr)!;
    expect(Number(added) + Number(before)).toBe(ROWS);
    expect(place.files()).toEqual(['errors.csv', 'in.csv', 'out.csv']);
    for (const name of ['out.csv', 'errors.csv'])
      expect(place.bytes(name).equals(whole.bytes(name))).toBe(true);
  });

  test('gzip: the same text', async () => {
    const whole = await undisturbed('out.csv');
    place.write('in.csv', large);
    const args = place.fromTo('in.csv', 'out.csv.gz');
    await endInTheMiddle(args);
    expect((await predict([...args, '--resume', '--quiet'])).code).toBe(3);
    expect(gunzipSync(place.bytes('out.csv.gz')).equals(whole.bytes('out.csv'))).toBe(true);
    expect(place.files()).toEqual(['in.csv', 'out.csv.gz']);
  });

  test('Parquet: every row once, in its place', async () => {
    place.write('in.csv', large);
    const args = place.fromTo('in.csv', 'out.parquet');
    await endInTheMiddle(args);
    expect((await predict([...args, '--resume', '--quiet'])).code).toBe(3);
    const file = await asyncBufferFromFile(place.path('out.parquet'));
    expect((await parquetMetadataAsync(file)).num_rows).toBe(BigInt(ROWS));
    const rows = await parquetReadObjects({ file, columns: ['id', 'error'] });
    for (const [id, row] of rows.entries()) {
      if (row.id !== String(id) || (row.error === null) !== (id % 1000 !== 7))
        expect(row, `row ${id}`).toBe('');
    }
  });

  test('from Parquet, in the middle of a row group', async () => {
    const values = PATIENT_ROW.split(',').map(Number);
    const ids = Int32Array.from({ length: ROWS }, (_, id) => id);
    const columnData = COLUMNS.map((name, index) => ({
      name,
      data: Float64Array.from(ids, (id) => (index > 5 ? id % 2 : values[index]! + (id % 7))),
    }));
    const rowGroupSize = [70_000, 10, ROWS];
    place.write(
      'in.parquet',
      new Uint8Array(
        parquetWriteBuffer({ columnData: [{ name: 'id', data: ids }, ...columnData], rowGroupSize }),
      ),
    );
    const args = place.fromTo('in.parquet', 'out.csv');
    await endInTheMiddle(args);
    await scored([...args, '--resume']);
    expect(idsOf('out.csv')).toEqual([...ids]);
  });
});

describe('a run that is interrupted', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: says how to resume, and resumes', async (signal, exitCode) => {
    place.write('in.csv', large);
    const args = place.fromTo('in.csv', 'out.csv', '--quiet');
    expect(await endInTheMiddle(args, signal)).toMatchObject({
      code: exitCode,
      stdout: '',
      stderr: 'Interrupted. Continue with the same command and --resume.\n',
    });
    expect(place.files()).toEqual(['in.csv', 'out.csv.partial', 'out.csv.partial.checkpoint']);

    if (signal === 'SIGTERM') {
      // Another input, another model, other options.
      const refusal =
        /out\.csv cannot be resumed: the input, the model or the options are not those .* without --resume\.$/m;
      const left = place.bytes('out.csv.partial');
      expect(await refused([...args, '--resume', ...errorsIn()])).toMatch(refusal);
      place.write('in.csv', large.replace('\n0,', '\n1,'));
      utimesSync(place.path('in.csv'), 1, 1);
      expect(await refused([...args, '--resume'])).toMatch(refusal);
      expect(
        await refused([...args, '--resume', '-m', 'test/support/foreign-models/heart-failure-2']),
      ).toMatch(refusal);
      expect(place.bytes('out.csv.partial').equals(left)).toBe(true);

      // Without --resume it starts from the beginning, whatever is left.
      place.write('in.csv', `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`);
      await scored(args);
      expect(place.read('out.csv')).toBe(
        `${PATIENT_COLUMNS},yhat_prob,yhat,error\n${PATIENT_ROW},0.5124506,1,\n`,
      );
      expect(place.files()).toEqual(['in.csv', 'out.csv']);
      return;
    }
    expect((await predict([...args, '--resume'])).code).toBe(3);
    const ids = idsOf('out.csv');
    expect(ids.every((id, row) => id === row)).toBe(true);
    expect(ids).toHaveLength(ROWS);
  });

  test('while it waits for standard input: it stops waiting', async () => {
    const running = start(['--format', 'csv', '-o', place.path('out.csv')]);
    running.process.stdin!.write(`${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await running.signal('SIGINT')).toMatchObject({ code: 130, stdout: '', stderr: 'Interrupted.\n' });
    expect(place.files()).toEqual([]);
  });
});

test('--resume with nothing to resume just runs; if the partial file is gone it says so', async () => {
  place.write('in.csv', `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`);
  await scored(place.fromTo('in.csv', 'out.csv', '--resume'));
  expect(place.read('out.csv')).toContain(`${PATIENT_ROW},0.5124506,1,\n`);

  place.write('in.csv', large);
  const args = place.fromTo('in.csv', 'out.csv');
  await endInTheMiddle(args);
  place.write('out.csv.partial', 'shorter');
  expect(await refused([...args, '--resume'])).toMatch(
    /out\.csv cannot be resumed: .*out\.csv\.partial is not there/,
  );
  // The output of the earlier run is still there.
  expect(place.read('out.csv')).toContain(`${PATIENT_ROW},0.5124506,1,\n`);
});

describe('a full disk', () => {
  test.each(['out.csv', 'out.csv.gz', 'out.parquet', 'out.jsonl'])(
    '%s: what happened, and nothing is left',
    async (output) => {
      place.write('in.csv', `${PATIENT_COLUMNS}\n${patients(100).join('\n')}\n`);
      symlinkSync('/dev/full', place.path(`${output}.partial`));
      const { code, stdout, stderr } = await predict(
        place.fromTo('in.csv', output, '--quiet', ...errorsIn()),
      );
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(
        /^The disk is full: .*out\.\S+ would be larger than .* free some space and run again\.\n$/,
      );
      expect(place.files()).toEqual(['in.csv']);
    },
  );

  test('of the errors', async () => {
    place.write('in.csv', `${PATIENT_COLUMNS}\n${patients(100).join('\n')}\n`);
    symlinkSync('/dev/full', place.path('errors.csv.partial'));
    const { code, stderr } = await predict(place.fromTo('in.csv', 'out.csv', '--quiet', ...errorsIn()));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The disk is full: .*errors\.csv would be/);
    expect(place.files()).toEqual(['in.csv']);
  });
});

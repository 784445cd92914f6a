import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import type { FileFormat, ScoringOrder } from '#libs/scoring';
import { PATIENT } from '../support/client.js';
import {
  PATIENT_COLUMNS,
  PATIENT_ROW,
  refusalOf,
  rowsOf,
  score as scoreFrom,
  place,
} from '../support/scoring-place.js';

vi.setConfig({ testTimeout: 90_000 });

/** The messages about a file or a row. */
const MAX_MESSAGE_BYTES = 2_000;

const MANY = 300_000;
const names = (count: number) => Array.from({ length: count }, (_, index) => `column_${index}`);

const score = (format: FileFormat, others: Partial<ScoringOrder> = {}) =>
  scoreFrom(`in.${format}`, `out.${format}`, others);

/** The refusal, which is short whatever the file. */
async function refusal(format: FileFormat, others?: Partial<ScoringOrder>) {
  const message = await refusalOf(`in.${format}`, `out.${format}`, others);
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  return message;
}

describe('a header of very many columns', () => {
  test.each([
    ['different names', names(MANY)],
    ['one name', names(MANY).map(() => 'column')],
    ['names that are there twice', [...names(MANY / 2), ...names(MANY / 2)]],
    ['no names', names(MANY).map(() => '')],
    ['long names', names(90).map((name) => name.padEnd(100_000, 'x'))],
  ])('of %s: refused in seconds, in a few words', async (_, columns) => {
    place.write('in.csv', `${columns.join(',')}\n${columns.map(() => 1).join(',')}\n`);
    const text = await refusal('csv');
    expect(text).toMatch(columns.length < MANY ? /lacks 8 columns/ : /300000 columns.* at most/);
  });

  test('of the maximum number: scored', async () => {
    const others = names(50_000);
    place.write(
      'in.csv',
      `${others.join(',')},${PATIENT_COLUMNS}\n${`${others.map((_, index) => index).join(',')},${PATIENT_ROW}\n`.repeat(20)}`,
    );
    expect(await score('csv')).toMatchObject({ rows: 20, errors: 0 });
    const [header, first] = place.read('out.csv').split('\n');
    expect(header!.endsWith('high_blood_pressure,yhat_prob,yhat,error')).toBe(true);
    expect(first!.endsWith(`49999,${PATIENT_ROW},0.5124506,1,`)).toBe(true);
  });

  test('whose names have line ends, even at the end of a read', async () => {
    // 128 KiB end right after a line end, within the quotes.
    const name = `x${'abcd\n'.repeat(60_000)}`;
    place.write('in.csv', `"${name}",${PATIENT_COLUMNS}\n1,${PATIENT_ROW}\n`);
    expect(await score('csv')).toMatchObject({ rows: 1, errors: 0 });
    expect(rowsOf(place.read('out.csv'))[0]![0]).toBe(name);
  });

  test('as members in JSON Lines: scored as they are; as CSV cells there are too many', async () => {
    const members = Object.fromEntries(names(MANY).map((name) => [name, 1]));
    place.write('in.jsonl', `${JSON.stringify({ ...members, ...PATIENT })}\n`);
    expect(await score('jsonl')).toMatchObject({ rows: 1, errors: 0 });
    expect(place.read('out.jsonl')).toMatch(
      /"column_299999":1,.*"yhat_prob":0\.5124506,"yhat":1,"error":null\}\n$/,
    );
    const output = { path: place.path('out.csv'), format: 'csv' as const };
    expect(await refusal('jsonl', { output })).toMatch(/300008 columns.* at most/);
  });

  test('without values in the rows: commas are counted before there are too many', async () => {
    place.write('in.csv', `${names(50_000).join(',')},${PATIENT_COLUMNS}\n${'x\n'.repeat(200_000)}`);
    expect(await refusal('csv')).toMatch(/^The rows from line 2 on .*64 MiB/);
  });
});

describe('a message', () => {
  test('about a row is short, whatever is in it', async () => {
    const long = 'ü"x'.repeat(300_000);
    place.write(
      'in.csv',
      `${PATIENT_COLUMNS}\n${PATIENT_ROW},${long.replaceAll('"', '')}\n${PATIENT_ROW}${',y'.repeat(100_000)}\n`,
    );
    expect(await score('csv')).toMatchObject({ rows: 2, errors: 2 });
    const told = rowsOf(place.read('out.csv')).map((row) => row.at(-1)!);
    expect(told[1]).toMatch(/^line 2 has 9 fields, the header has 8; what is beyond them: \["üxüx/);
    expect(told[2]).toMatch(/^line 3 has 100008 fields, .*: \["y","y",/);

    place.write('in.jsonl', `${JSON.stringify([long])}\n${JSON.stringify(PATIENT)}\n`);
    expect(await score('jsonl')).toMatchObject({ rows: 2, errors: 1 });
    const [first] = place.read('out.jsonl').split('\n');
    told.push((JSON.parse(first!) as { error: string }).error);
    expect(told.at(-1)).toMatch(/^line 1 is not a JSON object: /);
    for (const text of told) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  });

  test('about a file is short, whatever its columns are called', async () => {
    const long = names(200).map((name) => `${name}${'€'.repeat(5_000)}`);
    place.write('in.csv', `${long.join(',')}\n`);
    expect(await refusal('csv')).toMatch(/lacks 8 columns.* "age", .* It has: "column_0€€.*…$/);
    place.write('in.csv', `${[...long, ...long].join(',')}\n`);
    expect(await refusal('csv')).toMatch(/more than one column "column_0€/);
    place.write(
      'in.jsonl',
      `${`${JSON.stringify(PATIENT)}\n`.repeat(5_000)}{"${'late'.repeat(10_000)}":1}\n`,
    );
    const output = { path: place.path('out.csv'), format: 'csv' as const };
    expect(await refusal('jsonl', { output })).toMatch(/^Line 5001 has a member "latelate/);
  });
});

describe('a file that is small only while compressed', () => {
  /** Repeats the rows until there are this many bytes. */
  async function packed(path: string, header: string, rows: string, bytes: number): Promise<void> {
    const many = Buffer.from(rows.repeat(Math.ceil(1024 ** 2 / rows.length)));
    const times = Math.ceil(bytes / many.length);
    const pieces = Readable.from([Buffer.from(header), ...Array.from({ length: times }, () => many)]);
    await pipeline(pieces, createGzip({ level: 9 }), createWriteStream(path));
  }

  test('is refused as soon as it is too large, and nothing of it is left', async () => {
    await packed(place.path('in.csv'), `${PATIENT_COLUMNS}\n`, `${PATIENT_ROW}\n`, 40 * 1024 ** 2);
    let rows = 0;
    const limited = {
      maxUnpackedBytes: 1024 ** 2,
      onProgress: (done: { rows: number }) => (rows = done.rows),
    };
    expect(await refusal('csv', limited)).toMatch(/more than 1048576 bytes when it is unpacked/);
    expect(rows).toBeLessThan(60_000);
  });

  test('counts the bytes unpacked before an interruption', async () => {
    await packed(place.path('in.csv'), `${PATIENT_COLUMNS}\n`, `${PATIENT_ROW}\n`, 30 * 1024 ** 2);
    const interruption = new AbortController();
    const onProgress = ({ rows }: { rows: number }) => rows > 400_000 && interruption.abort();
    await expect(score('csv', { signal: interruption.signal, onProgress })).rejects.toThrow(/interrupted/);
    let resumedRows = 0;
    const going = {
      resume: true,
      maxUnpackedBytes: 20 * 1024 ** 2,
      onProgress: (done: { resumedRows: number }) => (resumedRows = done.resumedRows),
    };
    await expect(score('csv', going)).rejects.toThrow(/more than 20971520 bytes/);
    expect(resumedRows).toBeGreaterThan(400_000);
  });

  test('a line without an end is read up to the line limit', async () => {
    await packed(place.path('in.csv'), `${PATIENT_COLUMNS}\n`, 'x', 400 * 1024 ** 2);
    expect(await refusal('csv')).toMatch(/^Line 2 is longer than 16 MiB/);
    await packed(place.path('in.csv'), '', 'x', 400 * 1024 ** 2);
    expect(await refusal('csv')).toMatch(/^Line 1 is longer than 16 MiB/);
  });

  test('output that is refused before it grows leaves nothing behind', async () => {
    place.write('in.csv', `${PATIENT_COLUMNS}\n${`${PATIENT_ROW}\n`.repeat(200_000)}`);
    let asked = 0;
    const beforeWrite = async (bytes: number) => {
      asked = bytes;
      if (bytes > 1_000_000) throw new Error('no room');
    };
    await expect(score('csv', { beforeWrite })).rejects.toThrow('no room');
    expect(asked).toBeLessThan(1_500_000);
    expect(place.files()).toEqual(['in.csv']);
  });
});

describe('a requested stop', () => {
  test('is obeyed while waiting for a header that never comes', async () => {
    for (const format of ['csv', 'jsonl'] as const) {
      const path = place.path(`in.${format}`);
      execFileSync('mkfifo', [path]);
      // A writer that pauses in the middle of the first line.
      const writer = place.dataDir.spawn('sh', ['-c', `exec > ${path}; printf 'age,sex'; exec sleep 600`]);
      const interruption = new AbortController();
      const ended = score(format, { signal: interruption.signal }).catch((error: Error) => error);
      await pause(500);
      interruption.abort();
      expect((await ended).constructor.name).toBe('ScoringInterrupted');
      await writer.signal('SIGKILL');
    }
    expect(place.files()).toEqual(['in.csv', 'in.jsonl']);
  });

  test('is obeyed before anything starts', async () => {
    place.write('in.csv', `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`);
    await expect(score('csv', { signal: AbortSignal.abort() })).rejects.toThrow(/interrupted/);
    expect(place.files()).toEqual(['in.csv']);
  });
});

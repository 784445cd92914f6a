import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { IRIS } from '../support/artifacts.js';
import {
  CALIFORNIA_HOUSING,
  COLUMNS,
  FRAGILE,
  HEART_FAILURE,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  patients,
  predict,
  refused,
  rowsOf,
  scored,
  scoredText,
  place,
} from '../support/scoring-place.js';

interface GoldenCase {
  input: Record<string, string | number | null>;
  output: { prediction?: number; label?: string; probabilities: number[] };
}

/** The training framework's answers, and their rows as CSV. */
function golden(model: string): { cases: GoldenCase[]; csv: string } {
  const { cases } = JSON.parse(readFileSync(`${model}/golden.json`, 'utf8')) as { cases: GoldenCase[] };
  const names = Object.keys(cases[0]!.input);
  const rows = cases.map(({ input }) => names.map((name) => input[name] ?? '').join(','));
  return { cases, csv: [names.join(','), ...rows, ''].join('\n') };
}

describe('the predictions', () => {
  test('of two classes: the probability and the decision', async () => {
    const rows = [
      PATIENT_ROW,
      '25,1000,35,500000,8,135,0,0',
      '75,582,20,265000,1.9,130,1,1',
      '55,7861,38,263358.03,1.1,136,1,0',
      '60,250,60,250000,0.9,140,0,0',
      ',,,,,,,',
    ];
    const output = await scoredText(`${[PATIENT_COLUMNS, ...rows].join('\n')}\n`);
    const lines = output.trimEnd().split('\n');
    expect(lines.slice(0, 2)).toEqual([
      `${PATIENT_COLUMNS},yhat_prob,yhat,error`,
      `${PATIENT_ROW},0.5124506,1,`,
    ]);
    const expected = [0.5124506, 0.55330104, 0.9026563, 0.18759595, 0.13463883, 0.5014447];
    for (const [index, line] of lines.slice(1).entries()) {
      expect(line.startsWith(`${rows[index]},`), line).toBe(true);
      const [probability, decision, error] = line.slice(rows[index]!.length + 1).split(',');
      expect(Math.abs(Number(probability) - expected[index]!)).toBeLessThan(1e-6);
      expect([decision, error]).toEqual([expected[index]! > 0.5 ? '1' : '0', '']);
    }
  });

  test('of more classes: the label and its probability', async () => {
    const { cases, csv } = golden(IRIS);
    const [header, ...rows] = rowsOf(await scoredText(csv, '-m', IRIS));
    expect(header!.slice(4)).toEqual(['prediction', 'confidence', 'error']);
    expect(rows.map((row) => row[4])).toEqual(cases.map(({ output }) => output.label));
    for (const [index, { output }] of cases.entries()) {
      expect(Math.abs(Number(rows[index]![5]) - Math.max(...output.probabilities))).toBeLessThan(1e-5);
    }
  });

  test('of a regression: the value', async () => {
    const { cases, csv } = golden(CALIFORNIA_HOUSING);
    const [header, ...rows] = rowsOf(await scoredText(csv, '-m', CALIFORNIA_HOUSING));
    expect(header!.slice(9)).toEqual(['prediction', 'error']);
    expect(rows).toHaveLength(cases.length);
    for (const [index, { output }] of cases.entries()) {
      expect(Math.abs(Number(rows[index]![9]) - output.prediction!)).toBeLessThan(0.5);
    }
  });
});

describe('the input is preserved', () => {
  test('every row in its order, whatever the number of threads; no process is left', async () => {
    const rows = patients(50_000).map((row, id) => `${id},${row},"of row ${id}, and\nits ""note"""`);
    place.write('in.csv', `id,${PATIENT_COLUMNS},note\n${rows.join('\n')}\n`);
    const outputs: Buffer[] = [];
    for (const threads of ['1', '2', '3']) {
      await scored(place.fromTo('in.csv', `${threads}.csv`, '--threads', threads));
      outputs.push(place.bytes(`${threads}.csv`));
    }
    expect(outputs[1]!.equals(outputs[0]!)).toBe(true);
    expect(outputs[2]!.equals(outputs[0]!)).toBe(true);
    const output = outputs[0]!.toString();
    let at = output.indexOf('\n') + 1;
    for (const row of rows) {
      expect(output.startsWith(`${row},`, at)).toBe(true);
      const end = output.indexOf('\n', at + row.length);
      expect(output.slice(at + row.length, end)).toMatch(/^,0\.\d+,[01],$/);
      at = end + 1;
    }
    expect(at).toBe(output.length);
    expect(await place.dataDir.processes()).toEqual([]);
  });

  test('unknown columns, in their place, and anything that needs quotes', async () => {
    const extra = '"a, ""b""\r\nc", spaced ,5" pipe,日本 𝒳,=1+1,';
    const output = await scoredText(
      `"x, y",two,three,four,five,${PATIENT_COLUMNS},\n${extra.slice(0, -1)},${PATIENT_ROW},last\n`,
    );
    expect(rowsOf(output.replaceAll('\r\n', '§'))).toEqual(
      rowsOf(
        `"x, y",two,three,four,five,${PATIENT_COLUMNS},,yhat_prob,yhat,error\n` +
          `"a, ""b""§c"," spaced ","5"" pipe",日本 𝒳,=1+1,${PATIENT_ROW},last,0.5124506,1,\n`,
      ),
    );
  });

  test.each([
    ['CRLF', `${PATIENT_COLUMNS}\r\n${PATIENT_ROW}\r\n`, '\r\n'],
    [
      'CRLF after a header with quotes and line ends',
      `"a\nb",${PATIENT_COLUMNS}\r\n5",${PATIENT_ROW}\r\n`,
      '\r\n',
    ],
    ['no final line end', `${PATIENT_COLUMNS}\n${PATIENT_ROW}`, '\n'],
    ['CRLF and no final line end', `${PATIENT_COLUMNS}\r\n${PATIENT_ROW}`, '\r\n'],
    ['a byte order mark', `\uFEFF${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`, '\n'],
    ['a byte order mark before quotes', `\uFEFF"age"${PATIENT_COLUMNS.slice(3)}\n${PATIENT_ROW}\n`, '\n'],
    ['blank lines', `${PATIENT_COLUMNS}\n\n${PATIENT_ROW}\n\n\n`, '\n'],
  ])('%s', async (_, text, newline) => {
    const output = await scoredText(text);
    const lines = output.split(newline);
    expect(lines.at(-1)).toBe('');
    expect(lines.at(-2)).toContain(`${PATIENT_ROW},0.5124506,1,`);
    expect(lines[0]).toContain('age,creatinine');
    expect(lines[0]!.endsWith('error')).toBe(true);
    if (newline === '\r\n') expect(output.replaceAll('\r\n', '').includes('\r')).toBe(false);
  });

  test('zeros and ones that pandas wrote as floats, because some are missing', async () => {
    const rows = `25,1000,35,500000,8,135,1.0,0.0\n25,1000,35,500000,8,135,0.0,\n`;
    const [, first, second] = (await scoredText(`${PATIENT_COLUMNS}\n${rows}`)).split('\n');
    expect(first).toBe('25,1000,35,500000,8,135,1.0,0.0,0.5124506,1,');
    expect(second).toMatch(/^25,1000,35,500000,8,135,0.0,,0\.\d+,\d,$/);
  });

  test('JSON Lines: each object byte for byte', async () => {
    const members = COLUMNS.map((name, index) => `"${name}": ${PATIENT_ROW.split(',')[index]}`);
    const objects = [
      `"id": 12345678901234567890, "x":1.50,"y" : [1, {"z":"\\u00e9\\/"}], ${members.join(', ')}`,
      `"id":1e2,"id":3,"":"","__proto__":{"a":1},${members.toReversed().join(',')}`,
    ];
    place.write('in.jsonl', `  { ${objects[0]} }\r\n\n{${objects[1]}}`);
    await scored(place.fromTo('in.jsonl', 'out.jsonl'));
    const added = '"yhat_prob":0.5124506,"yhat":1,"error":null';
    expect(place.read('out.jsonl')).toBe(objects.map((object) => `{${object},${added}}\n`).join(''));
  });
});

describe('standard input and output', () => {
  test('text in, text out; only data on standard output', async () => {
    const text = `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`;
    const { code, stdout, stderr } = await predict(['--format', 'csv'], text);
    expect([code, stdout]).toEqual([
      0,
      `${PATIENT_COLUMNS},yhat_prob,yhat,error\n${PATIENT_ROW},0.5124506,1,\n`,
    ]);
    expect(stderr).toMatch(/Scored 1 rows? in [\d.]+ s/);
    expect(place.files()).toEqual([]);
  });

  test('each with its own format; gzip is recognised', async () => {
    const tsv = `${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`.replaceAll(',', '\t');
    const output = await scored(['--format', 'tsv', '--output-format', 'jsonl'], tsv);
    expect(JSON.parse(output)).toMatchObject({ age: '25', yhat_prob: 0.5124506, yhat: 1, error: null });
    place.write('packed', gzipSync(tsv));
    expect(await scored(['-i', place.path('packed'), '--format', 'tsv'])).toBe(
      `${PATIENT_COLUMNS},yhat_prob,yhat,error\n${PATIENT_ROW},0.5124506,1,\n`.replaceAll(',', '\t'),
    );
  });

  test('a reader that disconnects ends the run with one line', async () => {
    place.write('in.csv', `${PATIENT_COLUMNS}\n${patients(40_000).join('\n')}\n`);
    const command = `${process.execPath} dist/apps/cli/src/main.js predict --quiet -m ${HEART_FAILURE}`;
    const { stdout, stderr } = await place.dataDir.spawn('sh', [
      '-c',
      `(${command} -i ${place.path('in.csv')}; echo "code $?" >&2) | head -c 20`,
    ]).ended;
    expect(stdout).toBe(PATIENT_COLUMNS.slice(0, 20));
    expect(stderr).toBe('Standard output was closed before all of it was written.\ncode 1\n');
  });
});

describe('gzip', () => {
  test.each(['csv', 'tsv', 'jsonl'])('%s.gz in and out, for zlib and for gzip', async (format) => {
    const rows = patients(20_000);
    place.write('in.csv.gz', gzipSync(`${PATIENT_COLUMNS}\n${rows.join('\n')}\n`));
    const output = place.path(`out.${format}.gz`);
    await scored(place.fromTo('in.csv.gz', `out.${format}.gz`));
    execFileSync('gzip', ['-t', output]);
    const text = gunzipSync(place.bytes(`out.${format}.gz`)).toString();
    expect(text.split('\n')).toHaveLength(rows.length + (format === 'jsonl' ? 1 : 2));
    expect(execFileSync('gzip', ['-dc', output], { maxBuffer: 1 << 28 }).equals(Buffer.from(text))).toBe(
      true,
    );

    // The output is read again.
    const reserved = format === 'jsonl' ? /"error":null/ : /error/;
    expect(text).toMatch(reserved);
    await refused(place.fromTo(`out.${format}.gz`, 'again.csv'));
  });
});

describe('rows with an error', () => {
  const TEXT = [PATIENT_COLUMNS, PATIENT_ROW, 'old,1000,35,,8,135,2,0', '25,1000,35', PATIENT_ROW, ''].join(
    '\n',
  );

  test('keep their place, name every bad column, and end the run with 3', async () => {
    place.write('in.csv', TEXT);
    const { code, stderr } = await predict(place.fromTo('in.csv', 'out.csv'));
    expect(code).toBe(3);
    expect(stderr).toMatch(/2 of 4 rows could not be scored; the column error says what is wrong\.\n$/);
    const [, ...rows] = place.table('out.csv');
    expect(rows.map((row) => row.slice(0, 8).join(','))).toEqual([
      PATIENT_ROW,
      'old,1000,35,,8,135,2,0',
      '25,1000,35,,,,,',
      PATIENT_ROW,
    ]);
    expect(rows.map((row) => row.slice(8))).toEqual([
      ['0.5124506', '1', ''],
      ['', '', expect.stringMatching(/^age must be .*; sex must be /)],
      ['', '', 'line 4 has 3 fields, the header has 8'],
      ['0.5124506', '1', ''],
    ]);
  });

  test('in every output format', async () => {
    place.write('in.csv', TEXT);
    for (const format of ['tsv', 'jsonl']) {
      const { code } = await predict(place.fromTo('in.csv', `out.${format}`));
      expect(code).toBe(3);
    }
    expect(place.read('out.tsv').split('\n')[2]).toMatch(/^old\t1000\t35\t\t8\t135\t2\t0\t\t\tage must be/);
    expect(place.objects('out.jsonl')).toMatchObject([
      { yhat: 1, error: null },
      { age: 'old', platelets: null, yhat_prob: null, yhat: null, error: expect.stringMatching(/^age/) },
      { error: expect.stringMatching(/^line 4/) },
      { yhat: 1, error: null },
    ]);
  });

  test('--errors: they go there with their line numbers; nothing is lost and --quiet prints nothing', async () => {
    const rows = patients(30_000).map((row, id) => (id % 7 === 0 ? `${id},x${row}` : `${id},${row}`));
    place.write('in.csv', `id,${PATIENT_COLUMNS}\n\n${rows.join('\n')}\n`);
    const errors = place.path('errors.csv');
    const ending = await predict(place.fromTo('in.csv', 'out.csv', '--errors', errors, '--quiet'));
    expect(ending).toMatchObject({ code: 3, stdout: '', stderr: '' });
    const [[...outputHeader], ...good] = place.table('out.csv') as [string[], ...string[][]];
    const [[...errorsHeader], ...bad] = place.table('errors.csv') as [string[], ...string[][]];
    expect(outputHeader.slice(9)).toEqual(['yhat_prob', 'yhat', 'error']);
    expect(errorsHeader.slice(9)).toEqual(['line', 'error']);
    expect(bad).toHaveLength(Math.ceil(rows.length / 7));
    for (const row of bad)
      expect(row.slice(9)).toEqual([String(Number(row[0]) + 3), expect.stringMatching(/^age /)]);
    const all = [...good, ...bad].map((row) => row.slice(0, 9).join(','));
    expect(all.toSorted()).toEqual(rows.toSorted());
    expect(good.map((row) => Number(row[0]))).toEqual(
      good.map((row) => Number(row[0])).toSorted((a, b) => a - b),
    );
  });

  test('--errors: in the format of its file name', async () => {
    place.write('in.csv', `${PATIENT_COLUMNS}\n${PATIENT_ROW}\nold${PATIENT_ROW.slice(2)}\n`);
    for (const [output, errors] of [
      ['out.csv.gz', 'errors.jsonl'],
      ['out.parquet', 'errors.csv'],
      ['out.jsonl', 'errors'],
    ] as const) {
      const ending = await predict(place.fromTo('in.csv', output, '--errors', place.path(errors)));
      expect(ending, ending.stderr).toMatchObject({ code: 3 });
      const text = place.read(errors);
      if (errors === 'errors.csv') expect(place.table(errors)).toHaveLength(2);
      else
        expect(JSON.parse(text)).toMatchObject({ age: 'old', line: 3, error: expect.stringMatching(/^age/) });
    }
    expect(gunzipSync(place.bytes('out.csv.gz')).toString()).toBe(
      `${PATIENT_COLUMNS},yhat_prob,yhat,error\n${PATIENT_ROW},0.5124506,1,\n`,
    );
    expect(await refused(place.fromTo('in.csv', 'a.csv', '--errors', 'b.parquet.gz'), { code: 2 })).toMatch(
      'Parquet is already compressed',
    );
  });

  test('--errors: an empty file if there are none', async () => {
    await scoredText(`${PATIENT_COLUMNS}\n${PATIENT_ROW}\n`, '--errors', place.path('errors.csv'));
    expect(place.read('errors.csv')).toBe(`${PATIENT_COLUMNS},line,error\n`);
  });

  test('--strict: the first one ends the run, and no file is left', async () => {
    const rows = patients(20_000);
    for (const bad of [15_000, 9_000, 18_000])
      rows[bad] = `old,${rows[bad]}`.split(',').toSpliced(1, 1).join(',');
    place.write('in.csv', `${PATIENT_COLUMNS}\n\n${rows.join('\n')}\n`);
    const said = await refused(
      place.fromTo('in.csv', 'out.csv', '--strict', '--errors', place.path('errors.csv')),
    );
    expect(said).toMatch(/^Line 9003: age must be .*\n$/i);
  });

  test('only the rows that the model itself cannot answer, wherever they are', async () => {
    const bad: Record<number, [string, RegExp]> = {
      0: ['abc,1', /^the model cannot answer it: /],
      1: [',1', /^x must not be null$/],
      700: ['2,-1', /^the answer of the model is not a number$/],
      1500: ['2,many', /^y must be /],
      2999: ['def,1', /^the model cannot answer it: /],
    };
    const rows = Array.from({ length: 3000 }, (_, row) => bad[row]?.[0] ?? `${row},1`);
    place.write('in.csv', `x,y\n${rows.join('\n')}\n`);
    const ending = await predict(place.fromTo('in.csv', 'out.csv', '-m', FRAGILE, '--quiet'));
    expect(ending).toMatchObject({ code: 3, stdout: '', stderr: '' });
    const [, ...found] = place.table('out.csv');
    expect(found).toHaveLength(3000);
    for (const [row, [x, , prediction, error]] of found.entries()) {
      if (bad[row])
        expect([prediction, error], `row ${row}`).toEqual(['', expect.stringMatching(bad[row][1])]);
      else expect([prediction, error], `row ${row}`).toEqual([x, '']);
    }
  });
});

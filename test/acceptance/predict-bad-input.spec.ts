import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { editJson, IRIS } from '../support/artifacts.js';
import { NOBODY, obstacleToNobody } from '../support/nobody.js';
import {
  COLUMNS,
  HEART_FAILURE,
  parquetOf,
  PATIENT_COLUMNS,
  PATIENT_ROW,
  predict,
  refused,
  rowsOf,
  place,
} from '../support/scoring-place.js';

const HEADER = `${PATIENT_COLUMNS}\n`;
const ROW = `${PATIENT_ROW}\n`;
const OBJECT = JSON.stringify(
  Object.fromEntries(COLUMNS.map((name, index) => [name, PATIENT_ROW.split(',')[index]])),
);

interface Case {
  what: string;
  name?: string;
  given: string | Buffer;
  options?: string[];
  says: RegExp;
}

const CASES: Case[] = [
  {
    what: 'columns that are missing, all of them',
    given: `id,age,serum_sodium,serum_creatinine,platelets,high_blood_pressure\n1,25,1,1,1,1\n`,
    says: /lacks 3 columns that heart-failure 1 needs: "creatinine_phosphokinase", "ejection_fraction", "sex"\. It has: "id", "age"/,
  },
  {
    what: 'another delimiter',
    given: HEADER.replaceAll(',', ';'),
    says: /lacks 8 columns .* It has: "age;creatinine_/,
  },
  {
    what: 'duplicate columns',
    given: `id,id,age,age,id,${HEADER}`,
    says: /^The input has more than one column "id", "age"\. /,
  },
  {
    what: 'a column that is added',
    given: `yhat,error,${HEADER}1,1,${ROW}`,
    says: /^The output adds "yhat", "error", and the input has them already\. /,
  },
  {
    what: 'a column that the file of errors adds',
    given: `line,${HEADER}1,${ROW}`,
    options: ['--errors', 'errors.csv'],
    says: /^The output adds "line", and the input has it already\. /,
  },
  {
    what: 'a quote that never closes',
    given: `${HEADER}${ROW.repeat(20_000)}"25,1\n${ROW.repeat(20_000)}`,
    says: /^Line 20002: a quote opens a field here and never closes\.$/m,
  },
  {
    what: 'a quote in the header that never closes',
    given: `id,"${HEADER}${ROW.repeat(100_000)}`,
    says: /^Line 1: a quote opens a field here and never closes\.$/m,
  },
  {
    what: 'text after a closing quote',
    given: `note,${HEADER}\n"a\nb",${ROW}"a\n"b,${ROW}"c",${ROW}`,
    says: /^Line 5: after the closing quote of a field neither a delimiter nor the end of the line follows\./,
  },
  {
    what: 'text after a closing quote in the header',
    given: `"note"s,${HEADER}"c",${ROW}`,
    says: /^Line 1: after the closing quote/,
  },
  {
    what: 'a header without an end',
    given: 'x'.repeat(17 * 1024 ** 2),
    says: /^Line 1 is longer than 16 MiB\.$/m,
  },
  {
    what: 'Latin-1',
    given: Buffer.from(`note,${HEADER}${`"\n",${ROW}`.repeat(10_000)}M\xfcller,${ROW}`, 'latin1'),
    says: /^Line 20002 is not UTF-8\. Convert the file first, for example with iconv -f WINDOWS-1252 -t UTF-8\.$/m,
  },
  {
    what: 'Latin-1 in the header',
    given: Buffer.from(`gr\xf6\xdfe,${HEADER}1,${ROW}`, 'latin1'),
    says: /^Line 1 is not UTF-8\./,
  },
  {
    what: 'UTF-16',
    given: Buffer.from(`\uFEFF${HEADER}${ROW}`, 'utf16le'),
    says: /^The file is UTF-16\. Convert it to UTF-8 first/,
  },
  {
    what: 'gzip that is cut off',
    name: 'in.csv.gz',
    given: gzipSync(`${HEADER}${ROW.repeat(200_000)}`).subarray(0, -5000),
    says: /^The gzip data are damaged, or cut off before their end\.$/m,
  },
  {
    what: 'gzip that is cut off within its header',
    name: 'in.csv.gz',
    given: gzipSync(HEADER).subarray(0, 6),
    says: /^The gzip data are damaged, or cut off before their end\.$/m,
  },
  {
    what: 'gzip that is damaged',
    name: 'in.csv.gz',
    given: Buffer.from(gzipSync(`${HEADER}${ROW.repeat(200_000)}`)).fill(0x55, 1000, 1100),
    says: /^The gzip data are damaged, or cut off before their end\.$/m,
  },
  {
    what: 'no Parquet',
    name: 'in.parquet',
    given: `${HEADER}${ROW}`,
    says: /in\.parquet is not a Parquet file, or is damaged/,
  },
  { what: 'no bytes of Parquet', name: 'in.parquet', given: '', says: /in\.parquet is not a Parquet file/ },
  {
    what: 'Parquet that is cut off',
    name: 'in.parquet',
    given: parquetOf({ age: [1, 2, 3] }).subarray(0, -20),
    says: /in\.parquet is not a Parquet file, or is damaged/,
  },
  {
    what: 'Parquet that lacks columns',
    name: 'in.parquet',
    given: parquetOf({ age: [1, 2, 3] }),
    says: /lacks 7 columns that heart-failure 1 needs: /,
  },
  {
    what: 'Parquet whose pages are damaged',
    name: 'in.parquet',
    given: damaged(patientsParquet(5000)),
    says: /^The Parquet file cannot be read: /,
  },
  {
    what: 'Parquet with lists',
    name: 'in.parquet',
    given: readFileSync('test/support/parquet/nested.parquet'),
    says: /in\.parquet has nested columns: "tags", "place"\. A column has to hold one value a row\.$/m,
  },
  {
    what: 'JSON Lines with a name that is added',
    name: 'in.jsonl',
    given: `${`${OBJECT}\n`.repeat(4000)}{"yhat":1,${OBJECT.slice(1)}\n`,
    says: /^Line 4001: The output adds "yhat", and the input has it already\./,
  },
  {
    what: 'JSON Lines with a late member, into CSV',
    name: 'in.jsonl',
    given: `${`${OBJECT}\n`.repeat(6000)}{"late":1,${OBJECT.slice(1)}\n`,
    says: /^Line 6001 has a member "late" that none of the first lines has, /,
  },
];

function patientsParquet(rows: number): Buffer {
  const values = PATIENT_ROW.split(',').map(Number);
  return parquetOf(
    Object.fromEntries(
      COLUMNS.map((name, index) => [
        name,
        Array.from({ length: rows }, (_, row) => values[index]! + ((row * 7919) % 1000) / 1000),
      ]),
    ),
  );
}

function damaged(bytes: Buffer): Buffer {
  return bytes.fill(0xff, 40, 600);
}

describe('a file that cannot be scored: one line that says why, exit code 1, and no file', () => {
  test.for(CASES)('$what', async ({ name = 'in.csv', given, options = [], says }) => {
    place.write(name, given);
    const others = options.map((option) => (option.includes('.') ? place.path(option) : option));
    expect(await refused(place.fromTo(name, 'out.csv', '--quiet', ...others))).toMatch(says);
  });

  test('standard input ends the run even if its writer does not end', async () => {
    for (const text of [
      `a,b\n${'1,2\n'.repeat(200_000)}`,
      Buffer.from('\uFEFFa,b\n'.repeat(500_000), 'utf16le'),
    ]) {
      const output = ['--format', 'csv', '-o', place.path('out.csv')];
      const running = place.dataDir.spawnForetell(['predict', '-m', HEART_FAILURE, ...output]);
      running.process.stdin!.on('error', () => undefined).write(text);
      const { code, stderr } = await running.ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(place.files()).toEqual([]);
    }
  });

  test('Parquet on standard input', async () => {
    expect(await refused(['--format', 'parquet', '-o', place.path('out.parquet')])).toMatch(
      /^Parquet cannot be read from standard input, .* Name the file\.$/m,
    );
  });

  test('no file, a folder', async () => {
    mkdirSync(place.path('folder.csv'));
    expect(await refused(place.fromTo('none.csv', 'out.csv'))).toMatch(/^There is no file .*none\.csv\.$/m);
    expect(await refused(place.fromTo('folder.csv', 'out.csv'))).toMatch(
      /folder\.csv is a folder, not a file/,
    );
    expect(await refused(place.fromTo('none.parquet', 'out.csv'))).toMatch(/^There is no file /);
    place.write('in.csv', HEADER + ROW);
    expect(await refused(place.fromTo('in.csv/x.csv', 'out.csv'))).toMatch(/^There is no file /);
  });

  test('an output that could not be renamed', async () => {
    place.write('in.csv', HEADER + ROW);
    mkdirSync(place.path('folder.csv'));
    symlinkSync('/dev/null', place.path('null'));
    expect(await refused(place.fromTo('in.csv', 'none/out.csv'))).toMatch(/^There is no folder .*none for /);
    expect(await refused(place.fromTo('in.csv', 'in.csv/out.csv'))).toMatch(/in\.csv is no folder for /);
    expect(await refused(place.fromTo('in.csv', 'folder.csv'))).toMatch(
      /folder\.csv is a folder, not a file/,
    );
    expect(await refused(place.fromTo('in.csv', 'null'))).toMatch(/no ordinary file .* standard output: -$/m);
    for (const errors of ['none/errors.csv', 'folder.csv', 'null']) {
      await refused(place.fromTo('in.csv', 'out.csv', '--errors', place.path(errors)));
    }
  });

  test('a folder without write permission, a file without read permission', async ({ skip }) => {
    const isRoot = process.getuid?.() === 0;
    const reason = isRoot ? obstacleToNobody() : undefined;
    if (reason) skip(reason);
    const input = place.write('in.csv', HEADER + ROW);
    const folder = place.path('closed');
    mkdirSync(folder, { mode: 0o555 });
    chmodSync(place.path('.'), 0o755);
    const run = async (...args: string[]) => {
      const command = ['predict', '-m', HEART_FAILURE, ...args];
      return place.dataDir.spawnForetell(command, isRoot ? NOBODY : {}).ended;
    };
    expect(await run('-i', input, '-o', `${folder}/out.csv`)).toMatchObject({
      code: 1,
      stderr: `${folder}/out.csv cannot be written: nothing may be written into ${folder}.\n`,
    });
    chmodSync(input, 0o200);
    expect(await run('-i', input)).toMatchObject({ code: 1, stderr: `${input} may not be read.\n` });
  });

  test('a folder that is not a model, or a model whose answers differ from its training', async () => {
    place.write('in.csv', 'sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n');
    const model = place.path('model');
    expect(await refused(place.fromTo('in.csv', 'out.csv', '-m', model))).toContain(model);
    cpSync(IRIS, model, { recursive: true });
    await editJson(`${model}/golden.json`, (golden) => {
      golden.cases[1].output.probabilities.reverse();
      return golden;
    });
    expect(await refused(place.fromTo('in.csv', 'out.csv', '-m', model))).toMatch(
      /does not reproduce its golden values: case 1: probabilities\[0\] is /,
    );
    writeFileSync(`${model}/model.onnx`, 'no graph');
    expect(await refused(place.fromTo('in.csv', 'out.csv', '-m', model))).toContain(model);
  });
});

describe('rows that cannot be read stay rows', () => {
  test('ragged ones, with their line numbers, after blank lines and quoted line ends', async () => {
    place.write('in.csv', `id,${HEADER}\n\n1,${ROW}"2\n2",25,1\n3,${PATIENT_ROW},4,"5,6"\n4,${ROW}`);
    const { code } = await predict(place.fromTo('in.csv', 'out.csv', '--quiet'));
    expect(code).toBe(3);
    const [, ...rows] = place.table('out.csv');
    expect(rows.map((row) => [row[0], row.length, row.at(-1)])).toEqual([
      ['1', 12, ''],
      ['2\n2', 12, 'line 5 has 3 fields, the header has 9'],
      ['3', 12, 'line 7 has 11 fields, the header has 9; what is beyond them: ["4","5,6"]'],
      ['4', 12, ''],
    ]);
  });

  test('JSON lines that are not objects, with their text', async () => {
    const bad = ['[1,2]', '25', 'null', '"text"', '{"age":', "{'age': 25}", '{} {}'];
    place.write('in.jsonl', [OBJECT, ...bad, '{}', OBJECT, ''].join('\n'));
    for (const format of ['jsonl', 'csv']) {
      const { code } = await predict(place.fromTo('in.jsonl', `out.${format}`, '--quiet'));
      expect(code).toBe(3);
    }
    const errors = [
      null,
      ...bad.map((text, index) => `line ${index + 2} is not a JSON object: ${JSON.stringify(text)}`),
      COLUMNS.map((name) => `${name} is required`).join('; '),
      null,
    ];
    expect(place.objects('out.jsonl').map(({ error }) => error)).toEqual(errors);
    const [, ...rows] = place.table('out.csv');
    expect(rows.map((row) => row.at(-1))).toEqual(errors.map((error) => error ?? ''));
    for (const row of rows) expect(row).toHaveLength(11);
  });

  test('only such lines: a table of errors only, each row as long as the header', async () => {
    place.write('in.jsonl', 'no\nneither\n');
    expect((await predict(place.fromTo('in.jsonl', 'out.csv', '--quiet'))).code).toBe(3);
    expect(place.table('out.csv')).toEqual([
      ['yhat_prob', 'yhat', 'error'],
      ['', '', 'line 1 is not a JSON object: "no"'],
      ['', '', 'line 2 is not a JSON object: "neither"'],
    ]);
  });

  test('an empty cell: a missing value if the column allows one, otherwise an error', async () => {
    place.write(
      'in.csv',
      'sepal_length,sepal_width,petal_length,petal_width\n5.1,,1.4,""\n5.1,3.5,1.4,0.2\n',
    );
    const { code, stdout } = await predict(['-m', IRIS, '-i', place.path('in.csv'), '--quiet']);
    expect(code).toBe(3);
    expect(rowsOf(stdout).map((row) => row.at(-1))).toEqual([
      'error',
      'sepal_width must not be null; petal_width must not be null',
      '',
    ]);
  });
});

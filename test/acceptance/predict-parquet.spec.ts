import { readFileSync, rmSync } from 'node:fs';
import {
  asyncBufferFromFile,
  parquetMetadata,
  parquetMetadataAsync,
  parquetReadObjects,
  type SchemaElement,
} from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import Papa from 'papaparse';
import { describe, expect, test } from 'vitest';
import { COLUMNS, parquetOf, refusalOf, score, place } from '../support/scoring-place.js';

const SUPPORT = 'test/support/parquet';
const PATIENT = Object.fromEntries(COLUMNS.map((name) => [name, [1]]));

/** Alone in the test's folder, even if there was another file before. */
function given(content: string | Uint8Array): void {
  for (const name of place.files()) rmSync(place.path(name));
  place.write('in.parquet', typeof content === 'string' ? readFileSync(`${SUPPORT}/${content}`) : content);
}

async function textOf(content: string | Uint8Array) {
  given(content);
  await score('in.parquet', 'out.csv');
  return Papa.parse<Record<string, string>>(place.read('out.csv'), { header: true, skipEmptyLines: true })
    .data;
}

/** Patients, with one extra column. */
function withColumn(element: SchemaElement, data: unknown[]): Buffer {
  const columns = COLUMNS.map((name): SchemaElement => ({ name, type: 'DOUBLE' }));
  const all = [...columns, element].map((each) => ({ ...each, repetition_type: 'OPTIONAL' as const }));
  return Buffer.from(
    parquetWriteBuffer({
      columnData: all.map(({ name }) => ({ name, data: name === element.name ? data : data.map(() => 1) })),
      schema: [{ name: 'root', num_children: all.length }, ...all],
    }),
  );
}

/** The message it is refused with; checks that nothing of it is left. */
function refusal(content: string | Uint8Array, to: 'out.csv' | 'out.parquet'): Promise<string> {
  given(content);
  return refusalOf('in.parquet', to);
}

describe('Parquet as text', () => {
  test('infinities as Python and pandas write them', async () => {
    const rows = await textOf('arrow.parquet');
    expect(rows.slice(0, 3).map(({ half }) => half)).toEqual(['-inf', '0.5', '-inf']);
    expect(rows.slice(0, 3).map(({ single }) => single)).toEqual(['0.1', 'inf', '-inf']);
    expect(rows.slice(0, 3).map(({ double }) => double)).toEqual(['0.1', 'inf', '-inf']);
  });

  test('in JSON, which has no infinities, as in the record', async () => {
    given('arrow.parquet');
    await score('in.parquet', 'out.jsonl');
    const lines = place.objects('out.jsonl').slice(0, 3);
    expect(lines.map(({ double }) => double)).toEqual([0.1, 'Infinity', '-Infinity']);
    expect(lines.map(({ single }) => single)).toEqual([0.1, 'Infinity', '-Infinity']);
  });

  test('times: in UTC with Z, local without, dates as dates', async () => {
    const [first] = await textOf('arrow.parquet');
    expect(first).toMatchObject({
      zoned: '2025-01-31T23:59:59.123456Z',
      naive: '2025-01-31T23:59:59.123456',
      early: '01:02:03.000',
      exact: '12:34:56.000000007',
      waited: '90',
    });
    const [other] = await textOf('types.snappy.parquet');
    expect(other).toMatchObject({
      seen: '2026-01-31T23:59:59.123456Z',
      measured: '2025-01-31T23:59:59.123456789',
      at: '12:34:56.000000',
    });
    // Those of 96 bits never have a time zone.
    expect((await textOf('int96.parquet'))[0]!.measured).toBe('2025-01-31T23:59:59.123456789');
    expect((await textOf('int96.far.parquet'))[5]!.until).toBe('9999-12-31T00:00:00.000000000');
  });

  test('a time outside any calendar is reported with its column and row', async () => {
    const file = withColumn({ name: 'when', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }, [
      null,
      2n ** 62n,
    ]);
    expect(await refusal(file, 'out.csv')).toMatch(/column "when", row 2: a time is beyond the years/);
  });
});

describe('Parquet to Parquet', () => {
  test('keeps the metadata of the columns, and adds the new ones', async () => {
    given('arrow.parquet');
    await score('in.parquet', 'out.parquet');
    const [before, after] = await Promise.all(
      ['in.parquet', 'out.parquet'].map(async (name) => {
        const metadata = await parquetMetadataAsync(await asyncBufferFromFile(place.path(name)));
        return Object.fromEntries(metadata.key_value_metadata!.map(({ key, value }) => [key, value!]));
      }),
    );
    expect(after).toMatchObject({ study: '7', pandas: expect.any(String) });
    const [pandas, ours] = [before!, after!].map((each) => JSON.parse(each.pandas!));
    expect(ours).toMatchObject({ attributes: { study: 7 }, index_columns: [] });
    expect(ours.columns.slice(0, -3)).toEqual(pandas.columns);
    expect(ours.columns.slice(-3)).toMatchObject([
      { name: 'yhat_prob', pandas_type: 'float32', numpy_type: 'float32' },
      { name: 'yhat', pandas_type: 'int32', numpy_type: 'int32' },
      { name: 'error', pandas_type: 'unicode', numpy_type: 'object' },
    ]);
    // The clients' tests have pyarrow read it; here only that it is there, whole, with the old one in it.
    const [old, extended] = [before!, after!].map((each) => Buffer.from(each['ARROW:schema']!, 'base64'));
    expect(extended!.includes(old!.subarray(8))).toBe(true);
    for (const name of ['yhat_prob', 'yhat', 'error']) expect(extended!.includes(`${name}\0`)).toBe(true);
  });

  test('categories stay, in their order, even unused ones', async () => {
    given('arrow.parquet');
    await score('in.parquet', 'out.parquet');
    const file = place.bytes('out.parquet');
    const { row_groups: groups } = parquetMetadata(new Uint8Array(file).buffer);
    const { data_page_offset, dictionary_page_offset } = groups[0]!.columns[0]!.meta_data!;
    const dictionary = file.subarray(Number(dictionary_page_offset), Number(data_page_offset)).toString();
    expect(dictionary).toMatch(/low.*middle.*high/s);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(place.path('out.parquet')) });
    expect(rows.slice(0, 2).map(({ grade }) => grade)).toEqual(['high', 'low']);
  });
});

describe('is refused with the name of its column:', () => {
  test('a 96-bit time that does not fit 64 bits', async () => {
    expect(await refusal('int96.far.parquet', 'out.parquet')).toMatch(
      /^The Parquet file cannot be read: column "until", row 6: .*beyond the years 1677 to 2262/,
    );
  });

  test('lists and structures', async () => {
    expect(await refusal('nested.parquet', 'out.csv')).toMatch(/has nested columns: "tags", "place"\./);
  });

  test('a type that does not exist yet', async () => {
    const file = withColumn({ name: 'odd', type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }, ['{}']);
    await textOf(file);
    // The union's field 12 becomes 9, which Parquet has left free.
    const at = file.indexOf(Buffer.from([0xcc, 0, 0]), file.lastIndexOf('odd', file.lastIndexOf('odd') - 1));
    file[at] = 0x9c;
    for (const to of ['out.csv', 'out.parquet'] as const) {
      expect(await refusal(file, to)).toMatch(/in\.parquet has columns of types that are not known: "odd"\./);
    }
  });

  test('a page whose checksum is wrong, with its row group', async () => {
    const file = readFileSync(`${SUPPORT}/checksums.parquet`);
    const metadata = parquetMetadata(new Uint8Array(file).buffer);
    const place = COLUMNS.indexOf('platelets');
    const { data_page_offset, dictionary_page_offset, total_compressed_size } =
      metadata.row_groups[1]!.columns[place]!.meta_data!;
    await textOf(file);
    // One bit, which changes a number.
    file[Number(data_page_offset) - 2]! ^= 1;
    expect(Number(dictionary_page_offset) + Number(total_compressed_size)).toBeGreaterThan(
      Number(data_page_offset),
    );
    for (const to of ['out.csv', 'out.parquet'] as const) {
      expect(await refusal(file, to)).toMatch(
        /column "platelets", row group 2: page 1: its checksum is wrong: the file was damaged/,
      );
    }
  });
});

describe('metadata that would take a lot of memory is refused before it does', () => {
  const fileOf = (footer: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    return Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')]);
  };

  test('of empty objects, a byte each', async () => {
    // The version; a list of three million elements of the schema, all empty.
    const length = [0xc0, 0x8d, 0xb7, 0x01];
    const footer = Buffer.concat([Buffer.from([0x15, 2, 0x19, 0xfc, ...length]), Buffer.alloc(3_000_001)]);
    expect(await refusal(fileOf(footer), 'out.csv')).toMatch(
      /has more than 8000000 items; .*larger row groups/,
    );
  });

  test('with too many bytes', async () => {
    expect(await refusal(fileOf(Buffer.alloc(33 * 1024 ** 2)), 'out.csv')).toMatch(
      /has 34603008 bytes; at most/,
    );
  });

  test('of objects in objects', async () => {
    expect(await refusal(fileOf(Buffer.alloc(100_000, 0x1c)), 'out.csv')).toMatch(/is damaged: .*too deeply/);
  });
});

test('one byte flipped in a page with a checksum: the right rows or a refusal', async () => {
  const file = readFileSync(`${SUPPORT}/checksums.parquet`);
  const right = await textOf(file);
  const { row_groups: groups } = parquetMetadata(new Uint8Array(file).buffer);
  const ends = { refused: 0, read: 0 };
  for (const { meta_data: meta } of groups[0]!.columns) {
    const start = Number(meta!.dictionary_page_offset ?? meta!.data_page_offset);
    const size = Number(meta!.total_compressed_size);
    // Of each column the header of its first page, and then here and there.
    for (let at = start; at < start + size; at += at < start + 16 ? 3 : Math.ceil(size / 5)) {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 0x55;
      const read = await textOf(damaged).catch((refusal: Error) => refusal);
      if (read instanceof Error)
        expect(read.constructor.name, `byte ${at}: ${read.stack}`).toBe('InputError');
      else expect(read, `byte ${at}`).toEqual(right);
      ends[read instanceof Error ? 'refused' : 'read']++;
    }
  }
  expect(ends.refused).toBeGreaterThan(20);
});

test('a file damaged anywhere is read or refused, quickly and in a few words', async () => {
  const file = parquetOf({ ...PATIENT, other: [2] });
  const ends = { refused: 0, read: 0 };
  for (let at = 4; at < file.length; at += 37) {
    const damaged = Buffer.from(file);
    damaged[at]! ^= 0xff;
    given(damaged);
    const error = await score('in.parquet', 'out.csv').then(
      () => undefined,
      (error: Error) => error,
    );
    ends[error ? 'refused' : 'read']++;
    if (error) expect(error.constructor.name, `byte ${at}: ${error.stack}`).toBe('InputError');
  }
  expect(ends.refused).toBeGreaterThan(10);
});

import { isUtf8 } from 'node:buffer';
import {
  asyncBufferFromFile,
  parquetScan,
  type ConvertedType,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { InputError } from '../order.js';
import type { Table } from '../table.js';

/** Rows of a Parquet file. A NaN is a missing value, as the frameworks that write such files have it. */
export class ParquetTable implements Table {
  readonly missing: ReadonlySet<string> = new Set();
  readonly problems = new Map<number, string>();

  private constructor(
    private readonly start: number,
    readonly rowCount: number,
    private readonly columns: readonly string[],
    private readonly data: ReadonlyMap<string, ArrayLike<unknown>>,
  ) {}

  /** Reads these columns of the rows from `start` up to `end`, which are of one row group. */
  static async read(
    path: string,
    metadata: FileMetaData,
    columns: readonly string[],
    { start, end }: { start: number; end: number },
  ): Promise<ParquetTable> {
    const decimals = columnsOf(metadata).filter(isDecimal);
    const schema = metadata.schema.map((element) => (isDecimal(element) ? asStored(element) : element));
    const data = await readColumns(path, { ...metadata, schema }, columns, { start, end }, MEANT);
    for (const { name, scale = 0 } of decimals) {
      const stored = data.get(name);
      if (stored)
        data.set(
          name,
          Array.from(stored, (value) => decimalOf(value, scale)),
        );
    }
    return new ParquetTable(start, end - start, columns, data);
  }

  values(name: string): (row: number) => unknown {
    const column = this.data.get(name);
    if (!column) return () => undefined;
    return (row) => plain(column[row]);
  }

  placeOf(row: number): number {
    return this.start + row + 1;
  }

  fields(row: number): readonly string[] {
    return this.columns.map((name) => {
      const value = plain(this.data.get(name)![row]);
      return value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    });
  }

  members(row: number): string {
    return this.columns
      .map((name) => {
        const value = this.data.get(name)![row];
        const isNumber = typeof value === 'bigint' || value instanceof Decimal;
        const text = isNumber ? plain(value) : JSON.stringify(plain(value));
        return `${JSON.stringify(name)}:${text}`;
      })
      .join(',');
  }
}

/** Values as JSON has them; whole numbers of 64 bits as text, which keeps their digits. */
function plain(value: unknown): unknown {
  if (value === undefined || Number.isNaN(value)) return null;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Decimal) return value.text;
  if (value instanceof Date) return value.toISOString();
  if (!(value instanceof Uint8Array)) return value;
  // Some that write text do not say that it is text.
  return Buffer.from(value).toString(isUtf8(value) ? 'utf8' : 'base64');
}

/** A page of nothing, as of a column of nulls, is beyond some of them. */
const decompressors: typeof compressors = Object.fromEntries(
  Object.entries(compressors).map(([codec, decompress]) => [
    codec,
    (input: Uint8Array, size: number) => (size === 0 ? new Uint8Array() : decompress(input, size)),
  ]),
);

/** With all its digits, which no number has room for. */
class Decimal {
  constructor(readonly text: string) {}
}

function isDecimal({ converted_type, logical_type }: SchemaElement): boolean {
  return converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL';
}

/** Of a whole number, or the bytes of one, the highest first (two's complement). */
function decimalOf(stored: unknown, scale: number): Decimal | undefined {
  if (stored === null || stored === undefined) return undefined;
  const bytes = stored instanceof Uint8Array ? Buffer.from(stored) : undefined;
  const whole = bytes
    ? BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex') || '0'}`))
    : BigInt(stored as number | bigint);
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  const point = digits.length - scale;
  const fraction = scale > 0 ? `.${digits.slice(point)}` : '';
  return new Decimal(`${whole < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`);
}

/** The columns' values as they are stored, without what the schema says of their meaning. */
export function readStored(
  path: string,
  metadata: FileMetaData,
  range: { start: number; end: number },
): Promise<Map<string, ArrayLike<unknown>>> {
  const schema = metadata.schema.map((element) => ({ ...asStored(element), type: element.type }));
  return readColumns(
    path,
    { ...metadata, schema },
    columnsOf(metadata).map(({ name }) => name),
    range,
    STORED,
  );
}

/** Of the old 96-bit times: their nanoseconds, whole. */
const STORED = { timestampFromNanoseconds: (nanos: bigint) => nanos };

/** Times with all their digits. */
const MEANT = {
  dateFromDays: (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10),
  timestampFromMicroseconds: (micros: bigint) => timeText(micros, 6),
  timestampFromNanoseconds: (nanos: bigint) => timeText(nanos, 9),
};

function timeText(time: bigint, digits: number): string {
  const second = 10n ** BigInt(digits);
  const fraction = ((time % second) + second) % second;
  const seconds = new Date(Number((time - fraction) / second) * 1000).toISOString().slice(0, -'.000Z'.length);
  return `${seconds}.${String(fraction).padStart(digits, '0')}Z`;
}

async function readColumns(
  path: string,
  metadata: FileMetaData,
  columns: readonly string[],
  { start, end }: { start: number; end: number },
  parsers: typeof STORED | typeof MEANT,
): Promise<Map<string, ArrayLike<unknown>>> {
  const scan = await parquetScan({
    file: await asyncBufferFromFile(path),
    metadata,
    compressors: decompressors,
    geoparquet: false,
    utf8: false,
    parsers,
  });
  const read = async (column: string) =>
    [column, await scan.readColumn({ column, rowStart: start, rowEnd: end })] as const;
  try {
    return new Map(await Promise.all(columns.map(read)));
  } catch (error) {
    throw new InputError(`The Parquet file cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The elements of the columns. */
export function columnsOf({ schema }: FileMetaData): SchemaElement[] {
  return schema.slice(1);
}

/** What the values of `readStored` are written as. */
export function asStored({
  name,
  type,
  type_length,
  repetition_type,
  num_children,
  field_id,
}: SchemaElement): SchemaElement {
  const stored = type === 'INT96' ? 'INT64' : type;
  return { name, type: stored, type_length, repetition_type, num_children, field_id };
}

/** What the output's footer says of a column whose values were stored. */
export function asDeclared(element: SchemaElement): SchemaElement {
  const { type, logical_type: meaning } = element;
  if (type === 'INT96') {
    return {
      ...element,
      type: 'INT64',
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' },
    };
  }
  // The older word for the same, which the library writes as all readers understand it.
  if (meaning?.type === 'INTEGER') {
    const converted = `${meaning.isSigned ? '' : 'U'}INT_${meaning.bitWidth}` as ConvertedType;
    return { ...element, logical_type: undefined, converted_type: converted };
  }
  return element;
}

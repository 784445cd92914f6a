import { isUtf8 } from 'node:buffer';
import type { SchemaElement } from 'hyparquet';
import { parseFloat16 } from 'hyparquet/src/convert.js';

/** What a stored value means: a number or boolean as it is, and everything else as text. */
export type Meaning = (stored: unknown) => number | boolean | string | Numeral;

/** A number with all its digits, more than a JavaScript number has room for. */
export class Numeral {
  constructor(readonly text: string) {}
}

/** Compiled once for each column; undefined if what is stored is what is meant. */
export function meaningOf(element: SchemaElement): Meaning | undefined {
  switch (element.type) {
    case 'INT32':
      return ofInt32(element);
    case 'INT64':
      return ofInt64(element);
    case 'INT96':
      return (nanos) => dateTime(nanos as bigint, 9);
    case 'BYTE_ARRAY':
    case 'FIXED_LEN_BYTE_ARRAY':
      return ofBytes(element);
    default:
      return undefined;
  }
}

/** Whether what is stored means a number, and an INT64 a whole one. */
export function areNumbers(element: SchemaElement): boolean {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (type === 'FLOAT' || type === 'DOUBLE') return true;
  if (type === 'INT32') return meaningOf(element) === undefined;
  const isTime = [converted, logical?.type].some((each) => each?.startsWith('TIME'));
  return type === 'INT64' && !isTime && !isUnsigned(element) && !isDecimal(element);
}

/** Whether its numbers have no more digits than 32 bits have. */
export function isSingle({ type, logical_type: logical }: SchemaElement): boolean {
  return type === 'FLOAT' || logical?.type === 'FLOAT16';
}

function ofInt32(element: SchemaElement): Meaning | undefined {
  const { converted_type: converted, logical_type: logical } = element;
  if (isDecimal(element)) return decimal(element);
  if (converted === 'DATE' || logical?.type === 'DATE')
    return (days) => dateTime(BigInt(days as number) * DAY_SECONDS, 0).split('T')[0]!;
  if (converted === 'TIME_MILLIS' || logical?.type === 'TIME')
    return (millis) => timeOfDay(BigInt(millis as number), 3);
  return isUnsigned(element) ? (stored) => (stored as number) >>> 0 : undefined;
}

function ofInt64(element: SchemaElement): Meaning {
  const { converted_type: converted, logical_type: logical } = element;
  if (isDecimal(element)) return decimal(element);
  if (logical?.type === 'TIME') return (time) => timeOfDay(time as bigint, DIGITS[logical.unit]);
  if (converted === 'TIME_MICROS') return (time) => timeOfDay(time as bigint, 6);
  if (logical?.type === 'TIMESTAMP') {
    // A time that is not adjusted to UTC is what some clock showed: its zone is unknown.
    const zone = logical.isAdjustedToUTC ? 'Z' : '';
    return (time) => dateTime(time as bigint, DIGITS[logical.unit]) + zone;
  }
  if (converted === 'TIMESTAMP_MILLIS') return (time) => `${dateTime(time as bigint, 3)}Z`;
  if (converted === 'TIMESTAMP_MICROS') return (time) => `${dateTime(time as bigint, 6)}Z`;
  if (isUnsigned(element)) return (stored) => new Numeral(String(BigInt.asUintN(64, stored as bigint)));
  return (stored) => new Numeral(String(stored));
}

function ofBytes(element: SchemaElement): Meaning {
  const { converted_type: converted, logical_type: logical } = element;
  if (isDecimal(element)) return decimal(element);
  if (logical?.type === 'FLOAT16') return (stored) => parseFloat16(stored as Uint8Array)!;
  if (logical?.type === 'UUID') return (stored) => uuid(stored as Uint8Array);
  if (converted === 'INTERVAL') return (stored) => interval(viewOf(stored));
  return (stored) => {
    const bytes = stored as Uint8Array;
    // Some writers of text do not declare it as text.
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
      isUtf8(bytes) ? 'utf8' : 'base64',
    );
  };
}

const DIGITS = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;
const DAY_SECONDS = 86_400n;
/** What a Date has room for, on either side of 1970. */
const MAX_SECONDS = 8_640_000_000_000n;

/** In ISO 8601, with all digits and without a zone. @throws RangeError */
function dateTime(time: bigint, digits: number): string {
  const [seconds, fraction] = secondsOf(time, digits);
  if (seconds > MAX_SECONDS || seconds < -MAX_SECONDS) {
    throw new RangeError('a time is beyond the years -271821 to 275760');
  }
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -'.000Z'.length)}.${fraction}`;
}

function timeOfDay(time: bigint, digits: number): string {
  const [seconds, fraction] = secondsOf(time, digits);
  const parts = [seconds / 3_600n, (seconds / 60n) % 60n, seconds % 60n];
  if (seconds < 0n || seconds > DAY_SECONDS) throw new RangeError('a time of day is beyond a day');
  return `${parts.map((part) => String(part).padStart(2, '0')).join(':')}.${fraction}`;
}

function secondsOf(time: bigint, digits: number): [seconds: bigint, fraction: string] {
  const second = 10n ** BigInt(digits);
  const fraction = ((time % second) + second) % second;
  return [(time - fraction) / second, String(fraction).padStart(digits, '0')];
}

/** ISO 8601 has no other form for a mixture of months, days and milliseconds. */
function interval(view: DataView): string {
  const [months, days, millis] = [0, 4, 8].map((at) => view.getUint32(at, true));
  return `P${months}M${days}DT${millis! / 1000}S`;
}

function uuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function isUnsigned({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted?.startsWith('UINT_') || (logical?.type === 'INTEGER' && !logical.isSigned);
}

function isDecimal({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL';
}

/** A whole number, or its bytes, the highest first (two's complement). */
function decimal({ scale, logical_type: logical }: SchemaElement): Meaning {
  const places = (logical?.type === 'DECIMAL' ? logical.scale : scale) ?? 0;
  return (stored) => {
    const whole =
      stored instanceof Uint8Array
        ? BigInt.asIntN(stored.length * 8, BigInt(`0x${Buffer.from(stored).toString('hex') || '0'}`))
        : BigInt(stored as number | bigint);
    const digits = String(whole < 0n ? -whole : whole).padStart(places + 1, '0');
    const point = digits.length - places;
    const fraction = places > 0 ? `.${digits.slice(point)}` : '';
    return new Numeral(`${whole < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`);
  };
}

function viewOf(stored: unknown): DataView {
  const { buffer, byteOffset, byteLength } = stored as Uint8Array;
  return new DataView(buffer, byteOffset, byteLength);
}

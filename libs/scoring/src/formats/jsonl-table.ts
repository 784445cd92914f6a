import { checkCount } from '../column-names.js';
import { beginningOf, listed, quoted } from '../messages.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { decodeText } from './text.js';

/** Texts are taken literally: a missing value is null, or Python's NaN. */
const NO_WORDS: ReadonlySet<string> = new Set();

type JsonObject = Record<string, unknown>;

/** One JSON object per line. A row is written exactly as it was read. */
export class JsonLinesTable implements Table {
  readonly missing = NO_WORDS;
  readonly problems = new Map<number, string>();
  private readonly texts: string[] = [];
  private readonly objects: JsonObject[] = [];
  private readonly lines: number[] = [];

  /** `added`: what the output adds to each object, which must not be there; `columns`: all allowed, if that matters. */
  constructor(
    bytes: Uint8Array,
    firstLine: number,
    added: readonly string[],
    private readonly columns?: ReadonlySet<string>,
  ) {
    for (const [index, line] of decodeText(bytes, firstLine).split('\n').entries()) {
      const text = line.trim();
      if (text !== '') this.add(text, firstLine + index, added);
    }
  }

  get rowCount(): number {
    return this.objects.length;
  }

  values(name: string): (row: number) => unknown {
    const { objects } = this;
    return (row) => (Object.hasOwn(objects[row]!, name) ? objects[row]![name] : undefined);
  }

  readNumbers(): boolean {
    return false;
  }

  placeOf(row: number): number {
    return this.lines[row]!;
  }

  fields(row: number): readonly string[] {
    const object = this.objects[row]!;
    return Array.from(this.columns!, (name) => {
      const value = Object.hasOwn(object, name) ? object[name] : null;
      if (value === null) return '';
      return typeof value === 'string' ? value : cellOf(value);
    });
  }

  members(row: number): string {
    return this.texts[row]!.slice(1, -1).trim();
  }

  private add(text: string, line: number, added: readonly string[]): void {
    const found = parseObject(this.columns ? withAllDigits(text) : text);
    // It stays a row of its own; its text is in the message about it.
    if (!found)
      this.problems.set(
        this.rowCount,
        `line ${line} is not a JSON object: ${JSON.stringify(beginningOf(text))}`,
      );
    const object = found ?? {};
    for (const name of added) {
      if (Object.hasOwn(object, name)) throw new InputError(`Line ${line}: ${alreadyThere([name])}`);
    }
    const surprise = this.columns && Object.keys(object).find((name) => !this.columns!.has(name));
    if (surprise !== undefined) {
      throw new InputError(
        `Line ${line} has a member ${quoted(surprise)} that none of the first lines has, so that there is ` +
          `no column for it. Write JSON Lines instead, which need no columns.`,
      );
    }
    this.texts.push(found ? text : '{}');
    this.objects.push(object);
    this.lines.push(line);
  }
}

/** JSON has no infinities: as in the record, they are texts. */
function cellOf(value: unknown): string {
  if (typeof value === 'number') return String(value);
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'number' && !Number.isFinite(member) ? String(member) : member,
  );
}

/** Whole numbers that JSON.parse would round become texts, and are cells in that form. */
function withAllDigits(text: string): string {
  if (!/\d{16}/.test(text)) return text;
  return mapOutsideStrings(text, /-?\d[\d.eE+-]*/g, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
}

const PYTHONS: Record<string, string> = { NaN: 'null', Infinity: '1e999', '-Infinity': '-1e999' };

/** What Python's json writes beyond JSON: a NaN is a missing value, an infinity a number too large for any column. */
function withoutPythons(text: string): string {
  return mapOutsideStrings(text, /-?Infinity|NaN/g, (token) => PYTHONS[token]!);
}

/** By hand: a regular expression that also matches strings would need a stack as deep as a string has quotes. */
function mapOutsideStrings(text: string, token: RegExp, map: (token: string) => string): string {
  let mapped = '';
  for (let from = 0; ;) {
    const opens = text.indexOf('"', from);
    mapped += text.slice(from, opens < 0 ? undefined : opens).replaceAll(token, map);
    if (opens < 0) return mapped;
    from = endOfString(text, opens);
    mapped += text.slice(opens, from);
  }
}

/** The position after the closing quote: one that has an even number of backslashes before it. */
function endOfString(text: string, opens: number): number {
  for (let quote = text.indexOf('"', opens + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

export function alreadyThere(names: readonly string[]): string {
  return `The output adds ${listed(names)}, and the input has ${names.length === 1 ? 'it' : 'them'} already. Rename it there.`;
}

/** The names of all members in these lines, in the order in which they first appear. */
export function membersIn(bytes: Uint8Array): string[] {
  const names = new Set<string>();
  for (const line of decodeText(bytes, 1).split('\n')) {
    for (const name of Object.keys(parseObject(line) ?? {})) names.add(name);
  }
  checkCount(names.size);
  return [...names];
}

function parseObject(text: string): JsonObject | undefined {
  const value = parseJson(text) ?? (/NaN|Infinity/.test(text) ? parseJson(withoutPythons(text)) : undefined);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { checkCount } from '../column-names.js';
import { beginningOf, listed, quoted } from '../messages.js';
import { InputError } from '../order.js';
import type { Table } from '../table.js';
import { decodeText } from './text.js';

type JsonObject = Record<string, unknown>;

/** One JSON object a line. What is written of a row is what was read, to the letter. */
export class JsonLinesTable implements Table {
  readonly problems = new Map<number, string>();
  private readonly texts: string[] = [];
  private readonly objects: JsonObject[] = [];
  private readonly lines: number[] = [];

  /** `added`: what the output adds to each object, which must not be there; `columns`: all there may be, where that matters. */
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

  placeOf(row: number): number {
    return this.lines[row]!;
  }

  fields(row: number): readonly string[] {
    const object = this.objects[row]!;
    return Array.from(this.columns!, (name) => {
      const value = Object.hasOwn(object, name) ? object[name] : null;
      if (value === null) return '';
      return typeof value === 'string' ? value : JSON.stringify(value);
    });
  }

  members(row: number): string {
    return this.texts[row]!.slice(1, -1).trim();
  }

  private add(text: string, line: number, added: readonly string[]): void {
    const found = parseObject(this.columns ? withAllDigits(text) : text);
    // It stays a row of its own; its text stands in what is said of it.
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

/** Whole numbers that JSON.parse would round become texts, as which they are cells. */
function withAllDigits(text: string): string {
  if (!/\d{16}/.test(text)) return text;
  return text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
}

export function alreadyThere(names: readonly string[]): string {
  return `The output adds ${listed(names)}, and the input has ${names.length === 1 ? 'it' : 'them'} already. Rename it there.`;
}

/** The names of all members in these lines, in the order of their first appearance. */
export function membersIn(bytes: Uint8Array): string[] {
  const names = new Set<string>();
  for (const line of decodeText(bytes, 1).split('\n')) {
    for (const name of Object.keys(parseObject(line) ?? {})) names.add(name);
  }
  checkCount(names.size);
  return [...names];
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}

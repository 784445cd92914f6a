import { readDecimal } from '#libs/inference';
import { DelimitedTable, type DelimitedHeader } from './delimited-table.js';
import { encodingOf } from './text.js';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
const ZERO = 0x30;
const ONE = 0x31;
/** The comma. Among the bytes of usual cells only spaces are below it. */
const HIGHEST_MEANT = 0x2c;

/**
 * Rows without quotes, read where they lie: numbers are made from the bytes of their cells, rows are copied as bytes,
 * and only what is neither becomes a string.
 */
export class PlainTable extends DelimitedTable {
  /** All bytes, for those who copy rows. */
  readonly view: DataView;
  private readonly encoding: 'latin1' | 'utf8';
  private readonly buffer: Buffer;
  /** If each byte is a character, all of them; cells are cut out of it. */
  private text?: string;

  /** @throws InputError naming the first line that is not UTF-8 */
  private constructor(
    private readonly bytes: Uint8Array,
    private readonly firstLine: number,
    header: DelimitedHeader,
    private readonly index: CellIndex,
  ) {
    super(header);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.encoding = encodingOf(bytes, firstLine);
    for (const row of index.ragged) this.noteRagged(row, this.fieldsIn(row));
  }

  /** @returns undefined if there are quotes, or a carriage return that is not part of a line end */
  static of(bytes: Uint8Array, firstLine: number, header: DelimitedHeader): PlainTable | undefined {
    const index = indexCells(bytes, header.delimiter.charCodeAt(0), header.columns.length);
    return index && new PlainTable(bytes, firstLine, header, index);
  }

  get rowCount(): number {
    return this.index.rows;
  }

  placeOf(row: number): number {
    return this.firstLine + this.index.lines[row]!;
  }

  readNumbers(name: string, into: Float64Array): boolean {
    const column = this.header.places.get(name);
    const areFlags = this.header.flags.has(name);
    if (column === undefined || (!areFlags && !this.header.numbers.has(name))) return false;
    const { bytes } = this;
    const { starts, cells, rows } = this.index;
    for (let row = 0; row < rows; row++) {
      const cell = cells[row]! + column;
      const isThere = cell < cells[row + 1]! - 1;
      const start = isThere ? starts[cell]! : 0;
      const end = isThere ? starts[cell + 1]! - 1 : 0;
      if (areFlags) into[row] = end - start === 1 ? flag(bytes[start]!) : NaN;
      else into[row] = readDecimal(bytes, start, end);
    }
    return true;
  }

  get delimiter(): string {
    return this.header.delimiter;
  }

  get width(): number {
    return this.header.columns.length;
  }

  /** Where a row begins and ends as it was written, its line end excluded. */
  startOf(row: number): number {
    return this.index.starts[this.index.cells[row]!]!;
  }

  endOf(row: number): number {
    return this.index.starts[this.index.cells[row + 1]! - 1]! - 1;
  }

  fieldsIn(row: number): number {
    const { cells } = this.index;
    return cells[row + 1]! - cells[row]! - 1;
  }

  protected cell(row: number, column: number): string {
    const { starts, cells } = this.index;
    const cell = cells[row]! + column;
    if (cell >= cells[row + 1]! - 1) return '';
    const [start, end] = [starts[cell]!, starts[cell + 1]! - 1];
    if (start === end) return '';
    if (this.encoding === 'utf8') return this.buffer.toString('utf8', start, end);
    this.text ??= this.buffer.toString('latin1');
    return this.text.slice(start, end);
  }
}

function flag(byte: number): number {
  return byte === ZERO || byte === ONE ? byte - ZERO : NaN;
}

/** Where the cells of a text are. */
interface CellIndex {
  readonly rows: number;
  /**
   * For each row the starts of its cells and, at the end, one byte after the end of the last: each cell ends a byte
   * before the next start, where its delimiter is.
   */
  readonly starts: Int32Array;
  /** Where a row's starts begin in that; one more than there are rows. */
  readonly cells: Int32Array;
  /** Each row's line, from 0. */
  readonly lines: Int32Array;
  /** Rows with more or fewer cells than there are columns. */
  readonly ragged: readonly number[];
}

function indexCells(bytes: Uint8Array, delimiter: number, width: number): CellIndex | undefined {
  const size = bytes.length;
  let starts = new Int32Array(64 + (size >> 1));
  let cells = new Int32Array(64 + (size >> 5));
  let lines = new Int32Array(cells.length);
  const ragged: number[] = [];
  let [count, rows, line, rowStart] = [1, 0, 0, 0];
  const endRow = (end: number, next: number) => {
    const fields = count - cells[rows]!;
    const isBlank = fields === 1 && end === rowStart && width > 1;
    if (isBlank) starts[count - 1] = next;
    else {
      if (fields !== width) ragged.push(rows);
      starts[count++] = end + 1;
      starts[count] = next;
      lines[rows++] = line;
      cells[rows] = count++;
    }
    line++;
    rowStart = next;
  };
  for (let at = 0; at < size; at++) {
    const byte = bytes[at]!;
    if (byte > HIGHEST_MEANT) continue;
    if (byte === delimiter) starts[count++] = at + 1;
    else if (byte === NEWLINE) endRow(bytes[at - 1] === RETURN ? at - 1 : at, at + 1);
    else if (byte === QUOTE || (byte === RETURN && bytes[at + 1] !== NEWLINE)) return undefined;
    if (count + 2 > starts.length) starts = grown(starts);
    if (rows + 2 > cells.length) [cells, lines] = [grown(cells), grown(lines)];
  }
  // The end of the last line may be missing.
  if (bytes[size - 1] !== NEWLINE) endRow(size, size + 1);
  return { rows, starts, cells, lines, ragged };
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

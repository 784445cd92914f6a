import { formatNumber, MAX_FLOAT32_BYTES, writeFloat32 } from '#libs/inference';

/** Rows that are small when they are read, and very large when they are written. */
export class OutgrownError extends Error {}

const ZERO = 0x30;
/** More bytes than this are copied sooner by a call, fewer four at a time. */
const FEW_BYTES = 128;

/** A text that is written as bytes. */
export class ByteText {
  private bytes: Buffer;
  private view: DataView;
  private length = 0;

  /** `expected`: about how many bytes it will have; `most`: more are refused. */
  constructor(
    expected: number,
    private readonly most: number,
  ) {
    this.bytes = Buffer.allocUnsafeSlow(Math.min(expected, most) + MAX_FLOAT32_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** @throws OutgrownError */
  text(text: string): void {
    if (text.length === 1) {
      const code = text.charCodeAt(0);
      if (code < 0x80) {
        this.reserve(1);
        this.bytes[this.length++] = code;
        return;
      }
    }
    // No character takes more than three bytes per UTF-16 unit.
    if (this.length + 3 * text.length > this.bytes.length) this.reserve(Buffer.byteLength(text));
    this.length += this.bytes.write(text, this.length);
  }

  /** The shortest decimal of a number. @throws OutgrownError */
  number(value: number): void {
    this.reserve(MAX_FLOAT32_BYTES);
    if (value >= 0 && value <= 9 && Number.isInteger(value)) {
      this.bytes[this.length++] = ZERO + value;
      return;
    }
    const end = Math.fround(value) === value ? writeFloat32(value, this.bytes, this.length) : this.length;
    if (end > this.length) this.length = end;
    else this.text(formatNumber(value));
  }

  /** @throws OutgrownError */
  copy(from: DataView, start: number, end: number): void {
    const size = end - start;
    this.reserve(size);
    const { view } = this;
    let to = this.length;
    this.length += size;
    if (size > FEW_BYTES) {
      this.bytes.set(new Uint8Array(from.buffer, from.byteOffset + start, size), to);
      return;
    }
    let at = start;
    for (; at + 4 <= end; at += 4, to += 4) view.setInt32(to, from.getInt32(at));
    for (; at < end; at++, to++) view.setUint8(to, from.getUint8(at));
  }

  whole(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, 0, this.length);
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    if (needed > this.most) throw new OutgrownError();
    const larger = Buffer.allocUnsafeSlow(Math.min(this.most, 2 * needed));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

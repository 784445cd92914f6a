/** Text that its profile does not allow. The message goes on where "The name …" begins, and repeats none of the text. */
export class PrecisError extends Error {
  override readonly name = 'PrecisError';

  static character(character: string): PrecisError {
    const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return new PrecisError(`must not contain U+${codePoint}`);
  }
}

/** The profile does not allow this text. The message completes a sentence ("The username …") and never quotes the text. */
export class PrecisError extends Error {
  override readonly name = 'PrecisError';

  static character(character: string): PrecisError {
    const codePoint = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return new PrecisError(`must not contain U+${codePoint}`);
  }
}

/** Messages about a file or a row are for people to read: in bytes of UTF-8, whatever is in the file. */
const MAX_MESSAGE_BYTES = 2_000;
/** The longest name or value that is quoted in a message. */
const MAX_QUOTED_CHARACTERS = 100;
const MAX_LISTED = 20;

/** The message, or the beginning of one that is too long, which ends with `…`. */
export function shortened(message: string): string {
  // No character takes more than three bytes per UTF-16 unit.
  if (message.length * 3 <= MAX_MESSAGE_BYTES) return message;
  const bytes = Buffer.from(message.slice(0, MAX_MESSAGE_BYTES));
  if (message.length <= MAX_MESSAGE_BYTES && bytes.length <= MAX_MESSAGE_BYTES) return message;
  let end = MAX_MESSAGE_BYTES - Buffer.byteLength('…');
  // Not in the middle of a character.
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.subarray(0, end).toString()}…`;
}

/** A name or a value as it is quoted in a message. */
export function quoted(text: string): string {
  const isShort = text.length <= MAX_QUOTED_CHARACTERS;
  return JSON.stringify(isShort ? text : `${text.slice(0, MAX_QUOTED_CHARACTERS)}…`);
}

/** As much of a text as a message could hold. */
export function beginningOf(text: string): string {
  return text.slice(0, MAX_MESSAGE_BYTES);
}

/** Names as they are listed in a message: the first of them, and how many more there are. */
export function listed(names: readonly string[]): string {
  const first = names.slice(0, MAX_LISTED).map(quoted).join(', ');
  return names.length > MAX_LISTED ? `${first} and ${names.length - MAX_LISTED} more` : first;
}

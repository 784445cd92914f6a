/** A whole number from 0 up to a limit, the same ones for the same seed (mulberry32). */
export function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

type Random = (limit: number) => number;

const pick = <T>(random: Random, of: readonly T[]): T => of[random(of.length)]!;

/** Text as spreadsheets write it and people edit it: three cells per row, and the line each row begins on. */
export function randomText(random: Random, delimiter: string) {
  const newline = pick(random, ['\n', '\r\n']);
  const records: { cells: string[]; line: number }[] = [];
  let text = '';
  const line = () => text.split('\n').length;
  for (let rows = 1 + random(12); rows > 0; rows--) {
    if (random(6) === 0) text += newline;
    const cells = [0, 1, 2].map(() => randomCell(random, delimiter));
    records.push({ cells: cells.map(({ value }) => value), line: line() });
    text += cells.map(({ written }) => written).join(delimiter) + newline;
  }
  // The parser accepts a space after a closing quote, but not as the very last byte.
  if (random(3) === 0 && !text.endsWith(`" ${newline}`)) text = text.slice(0, -newline.length);
  return { text, records };
}

function randomCell(random: Random, delimiter: string): { value: string; written: string } {
  const letters = ['a', '7', 'é', '→', '𝒳', ' ', 'xyz'];
  const some = (of: readonly string[], most: number) =>
    Array.from({ length: random(most) }, () => pick(random, of)).join('');
  switch (random(3)) {
    case 0: {
      const value = some(letters, 5);
      return { value, written: value };
    }
    case 1: {
      // A quote that is not the first character of a field is an ordinary character.
      const value = pick(random, letters) + some([...letters, '"', '"'], 5);
      return { value, written: value };
    }
    default: {
      const value = some([...letters, '"', '"', delimiter, '\n', '\r\n', '\n"'], 8);
      const written = `"${value.replaceAll('"', '""')}"`;
      return { value, written: random(8) === 0 ? `${written} ` : written };
    }
  }
}

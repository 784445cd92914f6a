/** Longer names are not compared. */
const MAX_NAME_LENGTH = 100;
const MAX_NAMES = 1_000;
/** How many pairs of names are compared letter by letter: a caller may send thousands, and a model have thousands. */
const MAX_COMPARISONS = 2_000;

/**
 * A caller's names that match no column, searched for the one that was meant by a missing column: the same except for
 * case, accents and punctuation, or except for a typo or two.
 */
export class LookAlikes {
  /** By the name without case, accents and punctuation. */
  private readonly names = new Map<string, string>();
  private readonly byLength = new Map<number, string[]>();
  private comparisonsLeft = MAX_COMPARISONS;

  constructor(unknown: Iterable<string>) {
    for (const name of unknown) {
      if (this.names.size === MAX_NAMES) break;
      if (name.length > MAX_NAME_LENGTH) continue;
      const plain = plainOf(name);
      if (plain === '' || this.names.has(plain)) continue;
      this.names.set(plain, name);
      const others = this.byLength.get(plain.length);
      if (others) others.push(plain);
      else this.byLength.set(plain.length, [plain]);
    }
  }

  of(absent: string): string | undefined {
    if (absent.length > MAX_NAME_LENGTH) return undefined;
    const plain = plainOf(absent);
    return this.names.get(plain) ?? this.nearest(plain);
  }

  /** `Unknown column 'Tenure'; did you mean 'tenure'?`, undefined if none looks like it. */
  tell(absent: string): string | undefined {
    const meant = this.of(absent);
    return meant === undefined ? undefined : `unknown column '${meant}'; did you mean '${absent}'?`;
  }

  private nearest(plain: string): string | undefined {
    const mostSlips = plain.length < 3 ? 0 : plain.length < 8 ? 1 : 2;
    let nearest: string | undefined;
    let fewest = mostSlips + 1;
    for (let length = plain.length - mostSlips; length <= plain.length + mostSlips; length++) {
      for (const candidate of this.byLength.get(length) ?? []) {
        if (fewest === 1 || this.comparisonsLeft === 0) break;
        this.comparisonsLeft--;
        const slips = slipsBetween(plain, candidate, mostSlips);
        if (slips < fewest) [nearest, fewest] = [this.names.get(candidate), slips];
      }
    }
    return nearest;
  }
}

function plainOf(name: string): string {
  return name
    .normalize('NFKD')
    .toUpperCase()
    .replaceAll(/[^\p{Letter}\p{Number}]/gu, '');
}

/** Letters that were left out, added, mistyped, or swapped with their neighbour; counts no further than just over `most`. */
function slipsBetween(a: string, b: string, most: number): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = new Array<number>(b.length + 1).fill(Infinity);
    row[0] = i;
    // Further from the diagonal there are more slips than `most`.
    for (let j = Math.max(1, i - most); j <= Math.min(b.length, i + most); j++) {
      const isSame = a[i - 1] === b[j - 1];
      let slips = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) slips = Math.min(slips, beforeLast[j - 2]! + 1);
      row[j] = slips;
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}

import { Command, InvalidArgumentError, Option } from 'commander';
import { parseModelReference } from '#libs/models';
import { ModelComparison, type Comparison, type Differences, type Replay } from '#libs/predictions';
import { withFeatures } from './command-context.js';
import { showProgress } from './progress.js';

interface CompareOptions {
  since: Date;
  replay?: boolean;
  quiet?: boolean;
}

export function compareCommand(): Command {
  return new Command('compare')
    .description('compare two versions by what is recorded about them')
    .argument('<model>', 'its name')
    .argument('<a>', 'a version')
    .argument('<b>', 'another')
    .addOption(
      new Option('--since <when>', 'how far back: 30m, 12h, 7d, 4w, or an ISO 8601 date')
        .argParser(since)
        .default(since('7d'), '7d'),
    )
    .option('--replay', 'ask b what a was asked, and compare with what a answered')
    .option('--quiet', 'do not show progress')
    .action(compare);
}

async function compare(model: string, a: string, b: string, options: CompareOptions): Promise<void> {
  const { name } = parseModelReference(model);
  const progress = showProgress('Replayed', options.quiet);
  await withFeatures(async (features) => {
    const comparison = features.get(ModelComparison);
    console.log(`Recorded about ${name} since ${options.since.toISOString()}`);
    print(name, a, b, await comparison.compare(name, a, b, options.since));
    if (!options.replay) return;
    const replay = await comparison
      .replay(name, a, b, options.since, progress.update)
      .finally(() => progress.stop());
    printReplay(a, b, replay);
  });
}

function print(name: string, a: string, b: string, { served, shadowed, differences }: Comparison): void {
  console.table(
    [a, b].flatMap((version) =>
      [
        { as: 'served', ...served[version]! },
        { as: 'shadow', ...shadowed[version]! },
      ].map(({ as, requests, refused, p50Ms, p95Ms }) => ({
        version,
        as,
        requests,
        refused,
        'p50 ms': rounded(p50Ms),
        'p95 ms': rounded(p95Ms),
      })),
    ),
  );
  if (differences.requests === 0) {
    console.log(`No request was answered by one version and seen by the other as its shadow.`);
    console.log(
      `Begin with "foretell models shadow ${name} ${b}", or ask the recorded requests again with --replay.`,
    );
    return;
  }
  console.log(`\nRequests that one answered and the other saw as its shadow`);
  printDifferences(differences);
}

function printReplay(a: string, b: string, { differences, p50Ms, p95Ms }: Replay): void {
  console.log(`\nWhat ${a} was asked, asked again of ${b}`);
  printDifferences(differences);
  if (differences.requests === 0) return;
  console.log(
    `  ${b} took ${rounded(p50Ms)} ms (p50), ${rounded(p95Ms)} ms (p95), without record and network`,
  );
}

function printDifferences(differences: Differences): void {
  const { requests, rows, agreement, meanDifference, largestDifference, refusedByOne } = differences;
  console.log(
    `  ${requests} requests, ${rows} rows answered by both, ${refusedByOne} refused by one of the two`,
  );
  if (agreement !== undefined) console.log(`  the same label in ${(agreement * 100).toFixed(2)} %`);
  if (meanDifference !== undefined)
    console.log(`  difference ${rounded(meanDifference)} on average, ${rounded(largestDifference)} at most`);
}

function rounded(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : String(Number(value.toPrecision(4)));
}

const UNITS: Record<string, number> = { m: 60, h: 3_600, d: 86_400, w: 604_800 };

function since(text: string): Date {
  const [, number, unit] = /^(\d+)([mhdw])$/.exec(text) ?? [];
  const date = unit
    ? new Date(Date.now() - Number(number) * UNITS[unit]! * 1000)
    : new Date(/^\d{4}-\d{2}-\d{2}/.test(text) ? text : NaN);
  if (!Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('It must be a time such as 30m, 12h, 7d, 4w, or an ISO 8601 date.');
}

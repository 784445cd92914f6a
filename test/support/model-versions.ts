import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface VersionOptions {
  name?: string;
  version: string;
  /** Columns that change places: the graph takes each for the other, so that the version answers differently. */
  swap?: readonly [string, string];
  /** Further changes of the manifest. */
  manifest?: object;
}

interface Golden {
  cases: { input: Record<string, unknown> }[];
}

interface Schema {
  input_schema: { columns: { name: string }[] };
}

/** A copy of an artifact in a scratch folder, as another version that reproduces golden values of its own. */
export function makeVersion(artifact: string, { name, version, swap, manifest }: VersionOptions): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'foretell-artifact-')), version);
  cpSync(artifact, folder, { recursive: true });
  change<object>(folder, 'manifest.json', (file) => ({
    ...file,
    ...(name && { name }),
    version,
    ...manifest,
  }));
  if (!swap) return folder;
  const other = (column: string) => swap[1 - swap.indexOf(column)] ?? column;
  change<Schema>(folder, 'input_schema.json', ({ input_schema: { columns } }) => ({
    input_schema: {
      columns: columns.map((column) =>
        swap.includes(column.name) ? columns.find((each) => each.name === other(column.name)) : column,
      ),
    },
  }));
  change<Golden>(folder, 'golden.json', (golden) => ({
    ...golden,
    cases: golden.cases.map((each) => ({
      ...each,
      input: Object.fromEntries(
        Object.entries(each.input).map(([column, value]) => [
          swap.includes(column) ? other(column) : column,
          value,
        ]),
      ),
    })),
  }));
  return folder;
}

function change<Content>(folder: string, file: string, work: (content: Content) => object): void {
  const path = join(folder, file);
  writeFileSync(path, JSON.stringify(work(JSON.parse(readFileSync(path, 'utf8')) as Content)));
}

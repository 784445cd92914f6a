export const FILE_FORMATS = ['csv', 'tsv', 'jsonl', 'parquet'] as const;

export type FileFormat = (typeof FILE_FORMATS)[number];

const EXTENSIONS: Record<string, FileFormat> = {
  csv: 'csv',
  tsv: 'tsv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  parquet: 'parquet',
};

/** What a file's name says about it: `patients.csv.gz` is CSV, compressed with gzip. */
export function formatOfName(path: string): { format?: FileFormat; gzip: boolean } {
  const [, extension, gzip] = /\.([a-z]+)(\.gz)?$/i.exec(path) ?? [];
  const known = extension?.toLowerCase() ?? '';
  return {
    format: Object.hasOwn(EXTENSIONS, known) ? EXTENSIONS[known] : undefined,
    gzip: gzip !== undefined,
  };
}

export const DELIMITERS = { csv: ',', tsv: '\t' } as const;

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Golden, Manifest } from './artifact-schemas.js';
import type { Column } from './input-schema.js';

/** An artifact that cannot be used; the message says which file, what was expected and what was found. */
export class ArtifactError extends Error {
  constructor(
    folder: string,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super(`The model artifact in ${folder} cannot be used: ${detail}`, options);
    this.name = 'ArtifactError';
  }
}

/** What makes an artifact the one it is: no other file changes an answer. */
const CONTENT_FILES = ['manifest.json', 'input_schema.json', 'golden.json', 'model.onnx'] as const;

/** Every file that an artifact may have and is kept with it; the card and the statistics may be missing. */
export const ARTIFACT_FILES = [...CONTENT_FILES, 'reference_statistics.json', 'README.md'] as const;

export interface Artifact {
  folder: string;
  manifest: Manifest;
  columns: Column[];
  golden: Golden;
  /** The contents of `model.onnx`, whose sha256 is the manifest's. */
  graph: Uint8Array;
  /** Over the four files that make the artifact the one it is, in hex: two with the same answer the same. */
  contentSha256: string;
}

/** Reads and checks the files of `<folder>`. @throws ArtifactError */
export async function readArtifact(folder: string): Promise<Artifact> {
  // Loaded when it is needed: a thread that is handed an artifact does without, and starts 50 ms sooner.
  const [{ manifestFile, goldenFile }, { inputSchemaFile }] = await Promise.all([
    import('./artifact-schemas.js'),
    import('./input-schema.js'),
  ]);
  const contents = {} as Record<(typeof CONTENT_FILES)[number], Buffer>;
  for (const file of CONTENT_FILES) {
    contents[file] = await readFile(join(folder, file)).catch((cause: NodeJS.ErrnoException) => {
      throw new ArtifactError(folder, `${file} cannot be read (${cause.code})`, { cause });
    });
  }
  const parse = <T>(file: keyof typeof contents, schema: z.ZodType<T>): T => {
    let value: unknown;
    try {
      value = JSON.parse(contents[file].toString('utf8'));
    } catch (cause) {
      throw new ArtifactError(folder, `${file} is not JSON`, { cause });
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issues = parsed.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw new ArtifactError(folder, `${file} is not as it should be: ${issues.join('; ')}`);
  };

  const manifest = parse('manifest.json', manifestFile);
  const { input_schema } = parse('input_schema.json', inputSchemaFile);
  const golden = parse('golden.json', goldenFile);
  const graph = contents['model.onnx'];
  const sha256 = sha256Of(graph);
  if (sha256 !== manifest.sha256) {
    throw new ArtifactError(
      folder,
      `the sha256 of model.onnx is ${sha256}, the manifest says ${manifest.sha256}`,
    );
  }
  const listing = CONTENT_FILES.map((file) => `${sha256Of(contents[file])}  ${file}\n`).join('');
  return {
    folder,
    manifest,
    columns: input_schema.columns,
    golden,
    graph,
    contentSha256: sha256Of(listing),
  };
}

function sha256Of(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { inputSchemaFile, type Column } from './input-schema.js';

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

/** Data types and shapes as the Open Inference Protocol writes them; -1 is a variable size. */
const tensor = z.strictObject({ name: z.string(), datatype: z.string(), shape: z.array(z.number().int()) });

/** Folders are called like it. */
const nameLike = (pattern: RegExp, of: string) => z.string().regex(pattern, `must be ${of}`).max(128);

const described = {
  name: nameLike(/^[a-z0-9][a-z0-9._-]*$/, 'lower-case letters, digits, dots, dashes'),
  version: nameLike(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, dots, dashes'),
  /** Of `model.onnx`, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
  description: z.string().optional(),
  inputs: z.array(tensor).min(1).optional(),
  outputs: z.array(tensor).min(1).optional(),
  training_data: z.record(z.string(), z.unknown()).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  search: z.record(z.string(), z.unknown()).optional(),
  framework: z.strictObject({ name: z.string(), version: z.string() }).optional(),
  converter: z.strictObject({ name: z.string(), version: z.string() }).optional(),
  opset: z.record(z.string(), z.number()).optional(),
  metrics: z
    .array(
      z.strictObject({
        name: z.string(),
        value: z.number(),
        standard_deviation: z.number().optional(),
        how: z.string(),
      }),
    )
    .optional(),
};

const manifestFile = z.discriminatedUnion('task', [
  z.strictObject({
    ...described,
    task: z.literal('binary_classification'),
    labels: z.array(z.string()).length(2),
    label_descriptions: z.array(z.string()).length(2).optional(),
    /** The second label is answered where its probability is strictly over the threshold. */
    threshold: z.number().min(0).max(1).default(0.5),
  }),
  z.strictObject({
    ...described,
    task: z.literal('multiclass_classification'),
    /** In the order of the probabilities. */
    labels: z.array(z.string()).min(2),
    label_descriptions: z.array(z.string()).optional(),
  }),
  z.strictObject({ ...described, task: z.literal('regression') }),
]);

const goldenFile = z.strictObject({
  /** The largest difference from the training framework's answer that is still the same answer. */
  tolerance: z.number().positive(),
  cases: z
    .array(
      z.strictObject({
        input: z.record(z.string(), z.unknown()),
        output: z.union([
          z.strictObject({ probabilities: z.array(z.number()), label: z.string().optional() }),
          z.strictObject({ prediction: z.number() }),
        ]),
      }),
    )
    .min(1),
});

/** What makes an artifact the one it is: no other file changes an answer. */
const CONTENT_FILES = ['manifest.json', 'input_schema.json', 'golden.json', 'model.onnx'] as const;

/** Every file that an artifact may have and is kept with it; the card and the statistics may be missing. */
export const ARTIFACT_FILES = [...CONTENT_FILES, 'reference_statistics.json', 'README.md'] as const;

export type Manifest = z.infer<typeof manifestFile>;
export type Golden = z.infer<typeof goldenFile>;

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

import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Golden, Manifest } from './artifact-schemas.js';
import type { Column } from './input-schema.js';
import { flawOf } from './storable-json.js';

/** A reason may quote what is in an artifact, and ends up in logs, answers and a column of the registry. */
const MAX_DETAIL_BYTES = 2_000;

/** An artifact that cannot be used; the message says which file, what was expected and what was found. */
export class ArtifactError extends Error {
  readonly detail: string;

  constructor(folder: string, reason: string, options?: ErrorOptions) {
    const detail = presentable(reason);
    super(`The model artifact in ${folder} cannot be used: ${detail}`, options);
    this.name = 'ArtifactError';
    this.detail = detail;
  }
}

/** The files that determine an artifact's identity: no other file changes an answer. */
const CONTENT_FILES = ['manifest.json', 'input_schema.json', 'golden.json', 'model.onnx'] as const;
type ContentFile = (typeof CONTENT_FILES)[number];

/** Every file that an artifact may have and that is kept with it; the card and the statistics may be missing. */
export const ARTIFACT_FILES = [...CONTENT_FILES, 'reference_statistics.json', 'README.md'] as const;

const MIB = 1024 ** 2;
/** Enough for ten thousand columns and golden values of a usual model. The graph is read by ONNX Runtime. */
const MAX_BYTES: Record<ContentFile, number> = {
  'manifest.json': MIB,
  'input_schema.json': 16 * MIB,
  'golden.json': 32 * MIB,
  'model.onnx': Infinity,
};

export interface Artifact {
  folder: string;
  manifest: Manifest;
  columns: Column[];
  golden: Golden;
  /** The contents of `model.onnx`; its SHA-256 is the one in the manifest. */
  graph: Uint8Array;
  /** Hash of the four files that determine its identity, in hex: artifacts with the same hash answer the same. */
  contentSha256: string;
}

/** Reads and checks the files of `<folder>`. @throws ArtifactError */
export async function readArtifact(folder: string): Promise<Artifact> {
  // Loaded only when needed: a thread that receives an artifact does without it, and starts 50 ms sooner.
  const [{ manifestFile, goldenFile }, { inputSchemaFile }] = await Promise.all([
    import('./artifact-schemas.js'),
    import('./input-schema.js'),
  ]);
  const contents = {} as Record<ContentFile, Buffer>;
  for (const file of CONTENT_FILES) contents[file] = await readContent(folder, file);
  const parse = <T>(file: ContentFile, schema: z.ZodType<T>): T => {
    const value = parseJson(folder, file, contents[file]);
    // The inputs of golden values are not stored anywhere else.
    const flaw = file === 'golden.json' ? undefined : flawOf(value);
    const parsed = flaw === undefined ? schema.safeParse(value) : undefined;
    if (parsed?.success) return parsed.data;
    const issues = parsed?.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw new ArtifactError(folder, `${file} is invalid: ${flaw ?? issues!.join('; ')}`);
  };

  const manifest = parse('manifest.json', manifestFile);
  const { input_schema } = parse('input_schema.json', inputSchemaFile);
  const golden = parse('golden.json', goldenFile);
  const graph = contents['model.onnx'];
  const hashes = Object.fromEntries(CONTENT_FILES.map((file) => [file, hash('sha256', contents[file])]));
  checkGraph(folder, manifest.sha256, hashes['model.onnx']!);
  return {
    folder,
    manifest,
    columns: input_schema.columns,
    golden,
    graph,
    contentSha256: contentSha256Of(hashes),
  };
}

/**
 * What `readArtifact` returns as `contentSha256`, without parsing the files: a piece at a time, so that large ones
 * take little memory and never block the event loop.
 * @throws ArtifactError if a file is missing, or the graph is not the one in the manifest
 */
export async function hashArtifact(folder: string): Promise<string> {
  const hashes: Record<string, string> = {};
  for (const file of CONTENT_FILES) hashes[file] = await hashPieces(folder, file, () => undefined);
  const manifest = parseJson(folder, 'manifest.json', await readContent(folder, 'manifest.json'));
  checkGraph(folder, (manifest as Partial<Manifest> | null)?.sha256, hashes['model.onnx']!);
  return contentSha256Of(hashes);
}

/** The graph of an artifact that was checked, if it has not changed since. @throws ArtifactError */
export async function readGraph(folder: string, { sha256 }: Manifest): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  const found = await hashPieces(folder, 'model.onnx', (piece) => pieces.push(piece));
  checkGraph(folder, sha256, found);
  return Buffer.concat(pieces);
}

/** A piece at a time, so that hashing a large file does not block the event loop. */
function hashPieces(folder: string, file: ContentFile, take: (piece: Buffer) => void): Promise<string> {
  return withReadError(folder, file, async () => {
    const content = createHash('sha256');
    for await (const piece of createReadStream(join(folder, file)) as AsyncIterable<Buffer>) {
      content.update(piece);
      take(piece);
    }
    return content.digest('hex');
  });
}

function readContent(folder: string, file: ContentFile): Promise<Buffer> {
  return withReadError(folder, file, async () => {
    const handle = await open(join(folder, file));
    try {
      const { size } = await handle.stat();
      if (size > MAX_BYTES[file]) {
        const most = `more than the ${MAX_BYTES[file]} that it may have`;
        throw new ArtifactError(folder, `${file} has ${size} bytes, ${most}`);
      }
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  });
}

async function withReadError<T>(folder: string, file: ContentFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ArtifactError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new ArtifactError(folder, `${file} cannot be read (${code})`, { cause: error });
  }
}

function parseJson(folder: string, file: ContentFile, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (cause) {
    throw new ArtifactError(folder, `${file} is not JSON`, { cause });
  }
}

function checkGraph(folder: string, expected: string | undefined, found: string): void {
  if (found === expected) return;
  throw new ArtifactError(folder, `the sha256 of model.onnx is ${found}, the manifest says ${expected}`);
}

function contentSha256Of(hashes: Record<string, string>): string {
  return hash('sha256', CONTENT_FILES.map((file) => `${hashes[file]}  ${file}\n`).join(''));
}

/** Short enough, and text that PostgreSQL accepts. */
export function presentable(text: string): string {
  const taken = text.toWellFormed().replaceAll('\0', '\ufffd');
  const bytes = Buffer.from(taken);
  if (bytes.length <= MAX_DETAIL_BYTES) return taken;
  // A character that is cut in two becomes a replacement character.
  return `${bytes
    .subarray(0, MAX_DETAIL_BYTES - 3)
    .toString('utf8')
    .replace(/\ufffd$/, '')}…`;
}

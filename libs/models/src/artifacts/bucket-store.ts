import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { isDiskFull } from '#libs/durable-files';
import { ARTIFACT_FILES, ArtifactError } from '#libs/inference';
import { ScratchFolders } from './scratch-folders.js';
import {
  ALREADY_KEPT,
  versionExists,
  type ArtifactStore,
  type PreparedArtifact,
  type StoredArtifact,
} from './stored-artifact.js';
import { checkContent, isEmptyFolder, makeDraft, otherContent } from './whole-folder.js';

type S3 = typeof import('@aws-sdk/client-s3');
interface Connection {
  s3: S3;
  client: InstanceType<S3['S3Client']>;
}

/** One line, the sha256 of the content. It is written last: without it there is no version. */
const MARKER = 'content.sha256';

const ATTEMPTS = 3;
const CONNECT_TIMEOUT_MS = 3_000;
/** Without a byte in either direction, while a file is being transferred. */
const IDLE_TIMEOUT_MS = 60_000;

/** Less used content is removed, and fetched again when it is needed. */
const MAX_CACHED = 32;
/** Another process may have checked it a moment ago, and be about to read it. */
const MIN_CACHED_MS = 3_600_000;

/** Errors are thrown; the client would also print them to the console. */
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export interface BucketStoreOptions {
  /** `s3://<bucket>/<prefix>` */
  url: string;
  /** The URL of a server that is not AWS. */
  endpoint?: string;
  cacheDir: string;
  /** For small requests, all attempts together: short, to report soon if no server answers. */
  answerTimeoutMs?: number;
}

/**
 * `s3://<bucket>/<prefix>/<name>/<version>/`, for replicas that share no disk. What was fetched once is read from
 * `<cacheDir>/<sha256>/` from then on, without the network, as long as it is among the last used.
 *
 * The marker says which content the version has; its files are beside it in a folder named after that content. So two
 * processes that store different contents at once do not mix their files, and one that was killed half-way leaves
 * nothing in what another stores later.
 */
export class BucketStore implements ArtifactStore {
  readonly description: string;
  readonly scratch: ScratchFolders;
  private readonly bucket: string;
  private readonly prefix: string;
  private connection: Promise<Connection> | undefined;

  constructor(private readonly options: BucketStoreOptions) {
    const [, bucket, prefix] = /^s3:\/\/([^/]+)\/*(.*?)\/*$/.exec(options.url)!;
    this.scratch = new ScratchFolders(options.cacheDir, 'DATA_DIR');
    this.bucket = bucket!;
    this.prefix = prefix ? `${prefix}/` : '';
    const server = options.endpoint ? ` at ${new URL(options.endpoint).origin}` : '';
    this.description = `s3://${bucket}${prefix && `/${prefix}`}${server}`;
  }

  async prepare(folder: string, artifact: StoredArtifact): Promise<PreparedArtifact> {
    await checkContent(folder, artifact);
    if (await this.isKept(artifact)) return ALREADY_KEPT;
    for (const file of ARTIFACT_FILES) await this.upload(join(folder, file), this.keyOf(artifact, file));
    return {
      // Without a marker they are not a version, and the next upload of the same version overwrites them.
      discard: async () => undefined,
      keep: async () => {
        await this.mark(artifact);
        // Another process's marker may have won.
        if (await this.isKept(artifact)) return;
        throw new Error(
          `The model store ${this.description} answered that it keeps a version, and does not have it.`,
        );
      },
    };
  }

  async folderOf(artifact: StoredArtifact): Promise<string> {
    const { cacheDir } = this.options;
    const folder = join(cacheDir, artifact.contentSha256);
    if (!(await isIntact(folder, artifact))) {
      await this.removeCached(folder);
      const draft = await makeDraft(cacheDir, this.scratch, (draft) => this.download(artifact, draft));
      // Another process may have been faster, with content that it also checked.
      if (!(await draft.keepAs(folder))) await checkContent(folder, artifact);
      await this.forgetLeastUsed();
    }
    const now = new Date();
    await utimes(folder, now, now).catch(() => undefined);
    return folder;
  }

  private async forgetLeastUsed(): Promise<void> {
    const names = (await readdir(this.options.cacheDir)).filter((name) => !name.startsWith('.'));
    const cached = await Promise.all(
      names.map(async (name) => {
        const folder = join(this.options.cacheDir, name);
        const found = await stat(folder).catch(() => undefined);
        return { folder, usedAt: found?.mtimeMs ?? Infinity };
      }),
    );
    const byUse = cached.toSorted((a, b) => b.usedAt - a.usedAt);
    for (const { folder, usedAt } of byUse.slice(MAX_CACHED)) {
      if (Date.now() - usedAt > MIN_CACHED_MS) await this.removeCached(folder);
    }
  }

  /** Moved out of the way first, at once: no reader should find a folder that is half removed. */
  private async removeCached(folder: string): Promise<void> {
    if (await isEmptyFolder(folder)) return;
    const aside = await this.scratch.make();
    await rename(folder, join(aside, 'removed')).catch((error: NodeJS.ErrnoException) => {
      // Another process has done it.
      if (error.code !== 'ENOENT') throw error;
    });
    await rm(aside, { recursive: true, force: true });
  }

  /** @throws Problem if the version has other content */
  private async isKept(artifact: StoredArtifact): Promise<boolean> {
    const found = await this.readMarker(artifact);
    if (found !== undefined && found !== artifact.contentSha256) throw versionExists(artifact);
    return found !== undefined;
  }

  private async readMarker(artifact: StoredArtifact): Promise<string | undefined> {
    const object = { Bucket: this.bucket, Key: this.versionKey(artifact) + MARKER };
    const found = await this.briefly(async ({ s3, client }, abortSignal) => {
      const answer = await client
        .send(new s3.GetObjectCommand(object), { abortSignal })
        .catch(undefinedWhereMissing);
      return (await answer?.Body?.transformToString())?.trim();
    });
    if (found === undefined || /^[0-9a-f]{64}$/.test(found)) return found;
    throw new Error(`s3://${this.bucket}/${object.Key} does not hold a sha256.`);
  }

  /** Only the first succeeds, on a server that supports conditional writes; otherwise the last one wins. */
  private async mark(artifact: StoredArtifact): Promise<void> {
    const object = {
      Bucket: this.bucket,
      Key: this.versionKey(artifact) + MARKER,
      Body: `${artifact.contentSha256}\n`,
    };
    await this.briefly(async ({ s3, client }, abortSignal) => {
      try {
        await client.send(new s3.PutObjectCommand({ ...object, IfNoneMatch: '*' }), { abortSignal });
      } catch (error) {
        if (statusOf(error) === 412) return;
        if (statusOf(error) !== 501) throw error;
        await client.send(new s3.PutObjectCommand(object), { abortSignal });
      }
    });
  }

  private async upload(file: string, key: string): Promise<void> {
    const found = await stat(file).catch(() => undefined);
    // Some files may be missing; the required ones were read just before.
    if (!found) return;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    const object = {
      Bucket: this.bucket,
      Key: key,
      ContentLength: found.size,
      ChecksumSHA256: hash.digest('base64'),
    };
    await this.attempt(async ({ s3, client }) => {
      const body = createReadStream(file);
      try {
        await client.send(new s3.PutObjectCommand({ ...object, Body: body }));
      } finally {
        body.destroy();
      }
    });
  }

  private async download(artifact: StoredArtifact, draft: string): Promise<void> {
    const place = `s3://${this.bucket}/${this.versionKey(artifact)}`;
    const found = await this.readMarker(artifact);
    if (found === undefined) {
      throw new ArtifactError(place, `it is missing, or not there completely: there is no ${MARKER}`);
    }
    if (found !== artifact.contentSha256) throw otherContent(place, artifact, found);
    for (const file of ARTIFACT_FILES) {
      const object = { Bucket: this.bucket, Key: this.keyOf(artifact, file) };
      await this.attempt(async ({ s3, client }) => {
        const answer = await client.send(new s3.GetObjectCommand(object)).catch(undefinedWhereMissing);
        if (answer) await pipeline(answer.Body as Readable, createWriteStream(join(draft, file)));
      });
    }
    await checkContent(draft, artifact, place);
  }

  private versionKey({ name, version }: StoredArtifact): string {
    return `${this.prefix}${name}/${version}/`;
  }

  private keyOf(artifact: StoredArtifact, file: string): string {
    return `${this.versionKey(artifact)}${artifact.contentSha256}/${file}`;
  }

  private briefly<T>(run: (connection: Connection, abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(this.options.answerTimeoutMs ?? 9_000);
    return this.attempt((connection) => run(connection, signal), signal);
  }

  /**
   * Refusals are final, and so is a full disk; anything else is tried again. The client's own attempts are
   * turned off, because they leave out streams.
   */
  private async attempt<T>(run: (connection: Connection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.connection ??= this.connect();
        return await run(await this.connection);
      } catch (error) {
        if (isDiskFull(error)) throw error;
        if (attempt === ATTEMPTS || signal?.aborted || isRefusal(error))
          throw this.explain(error as SdkError);
        await setTimeout(attempt * 200);
      }
    }
  }

  /** Loaded when it is needed: nothing else waits for it. It finds region and credentials by itself. */
  private async connect(): Promise<Connection> {
    const s3 = await import('@aws-sdk/client-s3');
    const { endpoint } = this.options;
    const client = new s3.S3Client({
      endpoint,
      forcePathStyle: endpoint !== undefined,
      maxAttempts: 1,
      logger: SILENT,
      // Not every server supports newer checksums; what arrives is checked against its content's sha256.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    });
    return { s3, client };
  }

  /** A new error without the old one as its cause: that has the request, whose headers may hold a session token. */
  private explain(error: SdkError): Error {
    return new Error(`The model store ${this.description} cannot be used: ${reasonOf(error)}.`);
  }
}

interface SdkError extends Error {
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

function reasonOf(error: SdkError): string {
  const status = statusOf(error);
  if (error.name === 'NoSuchBucket') return 'there is no such bucket';
  if (error.name === 'CredentialsProviderError') {
    return 'there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  }
  if (error.message === 'Region is missing') return 'there is no region; set AWS_REGION';
  if (status === 401 || status === 403) {
    return `it refuses access (${error.name}); check the credentials and what they may do`;
  }
  if (status !== undefined) return `it answered ${status} ${error.name}`;
  // Before the name: the client calls a broken connection a timeout.
  if (error.code !== undefined) return `it cannot be reached (${error.code})`;
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return 'it does not answer in time';
  return error.message;
}

function statusOf(error: unknown): number | undefined {
  return (error as SdkError).$metadata?.httpStatusCode;
}

/** Two of the 4xx are temporary: another write was in progress (409), or there were too many at once (429). */
function isRefusal(error: unknown): boolean {
  const status = statusOf(error) ?? 500;
  return (
    (status < 500 && status !== 409 && status !== 429) || (error as Error).name === 'CredentialsProviderError'
  );
}

function undefinedWhereMissing(error: Error): undefined {
  if (error.name !== 'NoSuchKey') throw error;
}

async function isIntact(folder: string, artifact: StoredArtifact): Promise<boolean> {
  try {
    await checkContent(folder, artifact);
    return true;
  } catch (error) {
    if (error instanceof ArtifactError) return false;
    throw error;
  }
}

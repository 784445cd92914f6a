import { mkdir, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip } from 'node:zlib';
import * as tar from 'tar-stream';
import * as yauzl from 'yauzl';
import { Problem } from '#libs/errors';
import { ARTIFACT_FILES } from '#libs/inference';

/** Six files, their folders, and as much again for what macOS adds; no artifact has a million entries. */
const MAX_ENTRIES = 64;

/** What a tar may contain besides the contents of its entries: headers, with names of any length, and padding. */
const MAX_TAR_OVERHEAD_BYTES = 1024 ** 2;

const TAR_BLOCK_BYTES = 512;

/** What archives of every format have; none of it is trusted before it was checked. */
interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  /** Why it is refused, whatever its name; it continues the sentence after the name. */
  readonly flaw?: string;
  /** To be read to its end before the next entry is requested. */
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * Unpacks an uploaded archive (.tar, .tar.gz or .zip, recognised by its first bytes) below `folder`; returns the folder
 * with manifest.json. The name of an entry never becomes a path: we name what is written, after one of the files an
 * artifact may have. Both the archive and what comes out of it are at most `maxBytes`, whatever it claims.
 *
 * The caller makes `folder`, which is empty, and removes it as a whole: after a refusal there may be files in it. An
 * upload that is too large is left unread rather than destroyed, because the answer takes the same connection.
 *
 * @throws Problem `bad-request` if the archive cannot be read, `artifact-not-usable` if it contains something other
 * than an artifact, `body-too-large`; and the upload's own error if it breaks off.
 */
export async function unpackArchive(
  upload: Readable,
  folder: string,
  { maxBytes }: { maxBytes: number },
): Promise<string> {
  const path = join(folder, 'upload');
  const artifact = join(folder, 'artifact');
  // It may break off while the file is being opened and nothing reads it yet; the reader still gets the error.
  upload.on('error', () => undefined);
  try {
    const received = atMost(maxBytes, 'The archive')(upload.iterator({ destroyOnReturn: false }));
    await writeFile(path, received, { flag: 'wx', mode: 0o600 });
    await unpack(path, artifact, maxBytes);
    return artifact;
  } finally {
    await rm(path, { force: true });
  }
}

async function unpack(path: string, folder: string, maxBytes: number): Promise<void> {
  const unpacked = atMost(maxBytes, 'What the archive holds');
  const written = new Set<string>();
  let entries = 0;
  let top: string | undefined;
  let place = 'at its beginning';
  const archive = await open(path);
  try {
    await mkdir(folder, { mode: 0o755 });
    for await (const entry of await entriesOf(archive)) {
      const { name, isFolder, content } = entry;
      place = `at or after ${quoted(name)}`;
      if (++entries > MAX_ENTRIES) throw tooManyEntries();
      const flaw = entry.flaw ?? flawOfName(name);
      if (flaw) throw notAnArtifact(`${quoted(name)} ${flaw}.`);

      const folders = name.split('/').filter((segment) => segment !== '' && segment !== '.');
      const file = folders.pop() ?? '';
      if (isFolder || isArchiversOwn(file, folders)) {
        for await (const _ of unpacked(content));
        continue;
      }
      if (!(ARTIFACT_FILES as readonly string[]).includes(file)) {
        throw notAnArtifact(
          `${quoted(name)} is no file of an artifact, which are ${ARTIFACT_FILES.join(', ')}.`,
        );
      }
      const parent = folders.join('/');
      top ??= parent;
      if (parent !== top) {
        throw notAnArtifact(`${quoted(name)} is not in the folder of the files before it, ${quoted(top)}.`);
      }
      if (written.has(file)) throw notAnArtifact(`${quoted(name)} is there twice.`);
      written.add(file);
      await writeFile(join(folder, file), unpacked(content), { flag: 'wx', mode: 0o644 });
    }
  } catch (cause) {
    // The archive is not the cause of system errors (no space, no permission).
    if (cause instanceof Problem || (cause as NodeJS.ErrnoException).syscall) throw cause;
    const detail = `The archive cannot be read ${place} (${(cause as Error).message}).`;
    throw new Problem('bad-request', detail, { cause });
  } finally {
    await archive.close();
  }
  if (!written.has('manifest.json')) throw notAnArtifact('there is no manifest.json in it.');
}

async function entriesOf(archive: FileHandle): Promise<AsyncIterable<Entry>> {
  const { buffer, bytesRead } = await archive.read(Buffer.alloc(TAR_BLOCK_BYTES), 0, TAR_BLOCK_BYTES, 0);
  if (bytesRead === 0) throw Problem.badRequest('The body is empty; it is to be a .tar, .tar.gz or .zip.');
  const hasAt = (position: number, bytes: string) => buffer.indexOf(bytes, position, 'latin1') === position;
  if (hasAt(0, '\x1f\x8b')) return tarEntries(archive, createGunzip());
  if (hasAt(257, 'ustar')) return tarEntries(archive, new PassThrough());
  // The second of these begins a zip without entries.
  if (hasAt(0, 'PK\x03\x04') || hasAt(0, 'PK\x05\x06')) return zipEntries(archive);
  throw Problem.badRequest('The body is neither a .tar nor a .tar.gz nor a .zip.');
}

const TAR_FLAWS: Record<string, string | undefined> = {
  file: undefined,
  'contiguous-file': undefined,
  directory: undefined,
  symlink: 'is a symbolic link',
  link: 'is a hard link',
  'character-device': 'is a device',
  'block-device': 'is a device',
  fifo: 'is a pipe',
};

async function* tarEntries(archive: FileHandle, unzip: Transform): AsyncGenerator<Entry> {
  let contentBytes = 0;
  async function* counted(content: AsyncIterable<unknown>) {
    try {
      for await (const chunk of content as AsyncIterable<Buffer>) {
        contentBytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      // It only knows that it was ended; what feeds it knows the reason.
      await feeding;
      throw error;
    }
  }
  /** Headers never come out as entries, so a tar of nothing else is stopped before they are read. */
  async function* watched(chunks: AsyncIterable<Buffer>) {
    let bytes = 0;
    let end = Buffer.alloc(0);
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes - contentBytes > MAX_TAR_OVERHEAD_BYTES) {
        throw notAnArtifact(
          `it has more than ${MAX_TAR_OVERHEAD_BYTES} bytes beside the contents of its files.`,
        );
      }
      end = Buffer.concat([end, chunk]).subarray(-TAR_BLOCK_BYTES);
      yield chunk;
    }
    // A tar ends with blocks of zeros. Otherwise one that was cut off between two entries looks complete.
    if (end.length < TAR_BLOCK_BYTES || end.some((byte) => byte !== 0)) throw new Error('its end is missing');
  }

  const extract = tar.extract();
  const feeding = pipeline(
    archive.createReadStream({ start: 0 }),
    unzip,
    watched,
    // A Writable of streamx, which Node's pipeline accepts but its types do not.
    extract as unknown as NodeJS.WritableStream,
  );
  // The entries report it as well, or else the code below.
  feeding.catch(() => undefined);
  for await (const entry of extract) {
    const { name, type, size } = entry.header;
    // tar-stream turns some sizes into null, and would wait forever for the end of such an entry.
    if (!Number.isSafeInteger(size)) throw new Error('the size is not a number');
    const isFolder = type === 'directory';
    yield {
      name,
      isFolder: isFolder || name.endsWith('/'),
      flaw: type in TAR_FLAWS ? TAR_FLAWS[type] : 'is neither a file nor a folder',
      // Whatever size a folder claims, it has no content, and its stream would never end.
      content: counted(isFolder ? nothing() : entry),
    };
  }
  await feeding;
}

async function* nothing(): AsyncGenerator<never> {}

const FILE_TYPE = 0o170000;
const ZIP_FLAWS: Record<number, string | undefined> = {
  // Made on a system without such types.
  0: undefined,
  0o100000: undefined,
  0o040000: undefined,
  0o120000: 'is a symbolic link',
};

async function* zipEntries(archive: FileHandle): AsyncGenerator<Entry> {
  // Without autoClose, and as bytes: the names are checked here, in the same way for all formats.
  const zip = await yauzl.fromFdPromise(archive.fd, { autoClose: false, decodeStrings: false });
  if (zip.entryCount > MAX_ENTRIES) throw tooManyEntries();
  for await (const entry of zip.eachEntry()) {
    const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
    const name = yauzl.getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, true);
    const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE;
    yield {
      name,
      isFolder: name.endsWith('/') || type === 0o040000,
      flaw: entry.isEncrypted()
        ? 'is encrypted'
        : !entry.canDecodeFileData()
          ? `is compressed by method ${entry.compressionMethod} instead of deflate`
          : type in ZIP_FLAWS
            ? ZIP_FLAWS[type]
            : 'is neither a file nor a folder',
      content: zipContent(zip, entry),
    };
  }
}

/** yauzl checks the size of what it reads, not the checksum. */
async function* zipContent(zip: yauzl.ZipFile, entry: yauzl.Entry): AsyncGenerator<Buffer> {
  let checksum = 0;
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
    checksum = crc32(chunk, checksum);
    yield chunk;
  }
  if (checksum !== entry.crc32) throw new Error('incorrect data check');
}

/** Names that on some system mean a file somewhere else, or that different systems read differently. */
function flawOfName(name: string): string | undefined {
  if (name === '') return 'is no name';
  if (/[\p{Cc}\uFFFD]/u.test(name)) return 'has characters that no name may have';
  if (name.includes('\\')) return 'has a backslash in its name';
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) return 'is an absolute path';
  if (name.split('/').includes('..')) return 'leads out of the archive';
  return undefined;
}

/** What macOS adds by itself. */
function isArchiversOwn(file: string, folders: readonly string[]): boolean {
  return folders[0] === '__MACOSX' || file === '.DS_Store' || file.startsWith('._');
}

/** Passes on what it is given until the total of all calls is more than `maxBytes`. */
function atMost(maxBytes: number, subject: string) {
  let bytes = 0;
  return async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      bytes += Buffer.byteLength(chunk);
      if (bytes > maxBytes) {
        const detail = `${subject} has more than ${maxBytes} bytes, the most that MAX_ARTIFACT_BYTES allows.`;
        throw new Problem('body-too-large', detail);
      }
      yield chunk;
    }
  };
}

function notAnArtifact(detail: string): Problem {
  return new Problem('artifact-not-usable', `The archive cannot be used: ${detail}`);
}

function tooManyEntries(): Problem {
  return notAnArtifact(`it has more than ${MAX_ENTRIES} entries.`);
}

/** As a JSON string, so that neither its length nor its characters disrupt the sentence around it. */
function quoted(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import * as tarStream from 'tar-stream';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Problem, type ErrorCode } from '#libs/errors';
import { ARTIFACT_FILES, readArtifact } from '#libs/inference';
import { tarGz, zip } from '../../../../test/support/archives.js';
import { createFolderForThisTest } from '../../../../test/support/folders.js';
import { unpackArchive } from './artifact-archive.js';

const ARTIFACT = 'model-artifacts/iris/1';
const MIB = 1024 ** 2;
const MANIFEST = Buffer.from('{"name": "churn"}');

/** Contains the only folder that may be written to. */
let parent: string;
let folder: string;

beforeEach(async () => {
  parent = createFolderForThisTest();
  folder = join(parent, 'upload');
  await mkdir(folder);
});

afterEach(expectNothingElse);

/** Whatever the archive, only regular files are written, in their folder, and nothing stays open. */
async function expectNothingElse(): Promise<void> {
  expect(await readdir(parent), 'written outside').toEqual(['upload']);
  expect(await readdir(folder)).not.toContain('upload');
  for (const path of await readdir(folder, { recursive: true })) {
    const kind = await lstat(join(folder, path));
    expect(kind.isDirectory() || kind.isFile(), path).toBe(true);
  }
  expect(await openHandles()).toEqual([]);
}

/** Paths below the test's folder that this process has open. */
async function openHandles(): Promise<string[]> {
  if (!existsSync('/proc/self/fd')) return [];
  const paths = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(paths)).filter((path) => path.startsWith(parent));
}

/** Into an empty folder, even if the test has unpacked before. */
function unpack(archive: Buffer | Readable, maxBytes = 16 * MIB): Promise<string> {
  rmSync(join(folder, 'artifact'), { recursive: true, force: true });
  return unpackArchive(Buffer.isBuffer(archive) ? inChunks(archive) : archive, folder, { maxBytes });
}

function inChunks(bytes: Buffer, size = 1000): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })(),
    { objectMode: false },
  );
}

async function expectRefused(archive: Buffer | Readable, code: ErrorCode, detail: RegExp, maxBytes?: number) {
  const refusal = await unpack(archive, maxBytes).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(Problem);
  expect(refusal).toMatchObject({ code, message: expect.stringMatching(detail) });
}

const expectUnusable = (archive: Buffer | Readable, detail: RegExp, maxBytes?: number) =>
  expectRefused(archive, 'artifact-not-usable', detail, maxBytes);
const expectUnreadable = (archive: Buffer, detail: RegExp) => expectRefused(archive, 'bad-request', detail);
const expectTooLarge = (archive: Buffer | Readable, detail: RegExp, maxBytes: number) =>
  expectRefused(archive, 'body-too-large', detail, maxBytes);

async function bytesOnDisk(): Promise<number> {
  const paths = await readdir(folder, { recursive: true });
  const sizes = paths.map(async (path) => {
    const { size } = await lstat(join(folder, path));
    return path === 'artifact' ? 0 : size;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

type TarHeader = Parameters<tarStream.Pack['entry']>[0];

async function tar(...entries: [string | TarHeader, content?: Buffer][]): Promise<Buffer> {
  const pack = tarStream.pack();
  for (const [header, content = Buffer.alloc(0)] of entries) {
    pack.entry(typeof header === 'string' ? { name: header } : header, content);
  }
  pack.finalize();
  return buffer(pack as AsyncIterable<Buffer>);
}

interface RawZipEntry {
  name: string | Buffer;
  content?: Buffer;
  flags?: number;
  method?: number;
  mode?: number;
  crc?: number;
  /** The claimed size. */
  size?: number;
}

/** A zip as no library would make it. */
function rawZip(entries: RawZipEntry[], { claimedEntries = entries.length } = {}): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content = MANIFEST, flags = 0x800, method = 8, mode = 0o100644, ...claims } of entries) {
    const data = method === 8 ? deflateRawSync(content) : content;
    const rawName = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt32LE(claims.crc ?? crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(claims.size ?? content.length, 18);
    common.writeUInt16LE(rawName.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, rawName, data]);
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), common, rest, rawName);
    files.push(local);
    offset += local.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(Math.min(claimedEntries, 0xffff), 8);
  end.writeUInt16LE(Math.min(claimedEntries, 0xffff), 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  const zip64 = Buffer.alloc(claimedEntries > 0xffff ? 76 : 0);
  if (zip64.length > 0) {
    zip64.write('PK\x06\x06');
    zip64.writeBigUInt64LE(44n, 4);
    zip64.writeBigUInt64LE(BigInt(claimedEntries), 24);
    zip64.writeBigUInt64LE(BigInt(claimedEntries), 32);
    zip64.writeBigUInt64LE(BigInt(records.length), 40);
    zip64.writeBigUInt64LE(BigInt(offset), 48);
    zip64.write('PK\x06\x07', 56);
    zip64.writeBigUInt64LE(BigInt(offset + records.length), 64);
    zip64.writeUInt32LE(1, 72);
  }
  return Buffer.concat([...files, records, zip64, end]);
}

/** Where in a tar its entries begin, and where the last one ends. */
async function boundaries(archive: Buffer): Promise<number[]> {
  const extract = tarStream.extract();
  const starts: number[] = [];
  extract.on('entry', (_header, stream, next) => {
    starts.push(stream.offset);
    stream.on('end', next).resume();
  });
  extract.end(archive);
  await once(extract, 'finish');
  return [...starts, archive.length - 1024];
}

describe('a good archive', () => {
  const formats: Record<string, (prefix: string) => Promise<Buffer>> = {
    tar: async (prefix) => {
      const files = ARTIFACT_FILES.map(async (file) => [prefix + file, await readFile(join(ARTIFACT, file))]);
      return tar(...((await Promise.all(files)) as [string, Buffer][]));
    },
    'tar.gz': (prefix) => tarGz(ARTIFACT, { prefix }),
    zip: (prefix) => zip(ARTIFACT, { prefix }),
  };
  const cases = Object.keys(formats).flatMap((format) =>
    ['', 'iris/', 'iris/1/', `${'deep/'.repeat(50)}`].map((prefix) => [format, prefix] as const),
  );

  test.each(cases)('%s with the files in "%s" becomes the same files', async (format, prefix) => {
    const archive = await formats[format]!(prefix);
    await expectArtifact(await unpack(archive, archive.length + 100_000));
  });

  test.each(['gnu', 'posix', 'ustar'])('of the system’s tar, format %s, is unpacked', async (format) => {
    for (const what of [
      ['-C', ARTIFACT, '.'],
      ['-C', 'model-artifacts', 'iris'],
    ]) {
      const archive = execFileSync('tar', [`--format=${format}`, '-cf', '-', ...what]);
      await expectArtifact(await unpack(archive));
      await expectArtifact(await unpack(gzipSync(archive)));
    }
  });

  test('may be gzipped in several members', async () => {
    const archive = await formats.tar!('');
    const members = [archive.subarray(0, 700), archive.subarray(700)].map((member) => gzipSync(member));
    await expectArtifact(await unpack(Buffer.concat(members)));
  });

  test('may hold files that archivers add, which are not written', async () => {
    const added: string[] = [
      '__MACOSX/churn/._README.md',
      '__MACOSX/manifest.json',
      'churn/.DS_Store',
      '._churn',
    ];
    const noise = added.map((name): [string, Buffer] => [name, Buffer.from('noise')]);
    const global = (await tar(['pax_global_header', Buffer.from('18 comment=a tag\n')])).subarray(0, 1024);
    global.write('g', 156);
    const archives = [
      Buffer.concat([
        fixChecksum(global),
        await tar([{ name: 'churn/', type: 'directory' }], ...noise, ['churn/manifest.json', MANIFEST]),
      ]),
      rawZip([
        { name: 'churn/', mode: 0o040755, content: Buffer.alloc(0), method: 0 },
        { name: 'iris', mode: 0o040755, content: Buffer.alloc(0), method: 0 },
        // Old zips mark a folder by its name alone.
        { name: 'churn/', mode: 0, content: Buffer.alloc(0), method: 0 },
        ...noise.map(([name, content]) => ({ name, content })),
        { name: 'churn/manifest.json' },
      ]),
    ];
    for (const archive of archives) {
      const artifact = await unpack(archive);
      expect(await readdir(artifact)).toEqual(['manifest.json']);
      expect(await readFile(join(artifact, 'manifest.json'))).toEqual(MANIFEST);
    }
  });

  test('may hold files without any content', async () => {
    const empty = Buffer.alloc(0);
    for (const archive of [
      await tar(['README.md', empty], ['manifest.json', MANIFEST]),
      rawZip([{ name: 'README.md', content: empty, method: 0 }, { name: 'manifest.json' }]),
    ]) {
      const artifact = await unpack(archive);
      expect((await readdir(artifact)).toSorted()).toEqual(['README.md', 'manifest.json']);
    }
  });

  test('gives its files no modes of its own', async () => {
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    for (const mode of [0o777, 0o4755, 0]) {
      for (const archive of [
        await tar([{ name: 'd/', type: 'directory', mode }], [{ name: 'd/manifest.json', mode }, MANIFEST]),
        rawZip([{ name: 'manifest.json', mode: 0o100000 | mode }]),
      ]) {
        const artifact = await unpack(archive);
        expect((await lstat(artifact)).mode & 0o7777).toBe(0o755);
        expect((await lstat(join(artifact, 'manifest.json'))).mode & 0o7777).toBe(0o644);
      }
    }
  });

  async function expectArtifact(artifact: string): Promise<void> {
    expect(artifact.startsWith(folder)).toBe(true);
    expect((await readdir(artifact)).toSorted()).toEqual([...ARTIFACT_FILES].toSorted());
    for (const file of ARTIFACT_FILES) {
      expect(await readFile(join(artifact, file)), file).toEqual(await readFile(join(ARTIFACT, file)));
    }
    expect((await readArtifact(artifact)).manifest.name).toBe('iris');
  }
});

describe('an archive of something other than an artifact', () => {
  const both = (names: string[]): Promise<[format: string, archive: Buffer][]> =>
    tar(...names.map((name): [string, Buffer] => [name, MANIFEST])).then((archive) => [
      ['tar', archive],
      ['tar.gz', gzipSync(archive)],
      ['zip', rawZip(names.map((name) => ({ name })))],
    ]);

  test.each<[what: string, names: string[], detail: RegExp]>([
    [
      'a file that no artifact has',
      ['manifest.json', 'a/notes.txt'],
      /"a\/notes.txt" is no file of an artifact/,
    ],
    ['a file in other letters', ['manifest.json', 'MODEL.ONNX'], /"MODEL.ONNX" is no file of an artifact/],
    ['a file in another folder', ['a/1/manifest.json', 'a/2/golden.json'], /"a\/2\/golden.json" .* "a\/1"/],
    ['a file in a folder below', ['manifest.json', 'a/golden.json'], /"a\/golden.json" is not in the folder/],
    ['the same file twice', ['manifest.json', 'manifest.json'], /"manifest.json" is there twice/],
    [
      'the same file in two spellings',
      ['a/manifest.json', './a//manifest.json'],
      /".\/a\/\/manifest.json" is there tw/,
    ],
    ['no manifest', ['a/golden.json'], /no manifest.json/],
    ['nothing but folders', ['a/', 'b/'], /no manifest.json/],
    ['an absolute path', ['/manifest.json'], /"\/manifest.json" is an absolute path/],
    ['a path to the root', ['//manifest.json'], /is an absolute path/],
    ['a path that leads out', ['../manifest.json'], /"..\/manifest.json" leads out/],
    ['a path that leads out and back', ['a/../manifest.json'], /leads out/],
    ['a folder that leads out', ['manifest.json', 'a/..'], /"a\/.." leads out/],
    ['archivers’ own that leads out', ['manifest.json', '__MACOSX/../../._x'], /leads out/],
    ['a backslash', ['a\\manifest.json'], /"a\\\\manifest.json" has a backslash/],
    ['a backslash that leads out', ['..\\manifest.json'], /has a backslash/],
    ['a drive', ['C:manifest.json'], /"C:manifest.json" is an absolute path/],
    ['a drive’s root', ['c:/manifest.json'], /is an absolute path/],
    ['a line break in a name', ['a\n/manifest.json'], /"a\\n\/manifest.json" has characters/],
    ['a very long name', [`${'x'.repeat(5000)}/notes.txt`], /"x{200}…" is no file/],
  ])('%s is refused by name', async (_what, names, detail) => {
    for (const [format, archive] of await both(names)) {
      const refusal = await unpack(archive).catch((error: unknown) => error);
      expect(refusal, format).toMatchObject({ code: 'artifact-not-usable' });
      expect((refusal as Problem).message, format).toMatch(detail);
      expect((refusal as Problem).message.length, format).toBeLessThan(500);
    }
  });

  test('a NUL in a name is refused', async () => {
    const detail = /"manifest.json\\u0000.txt" has characters/;
    const inPax = await tar([{ name: 'x', pax: { path: 'manifest.json\0.txt' } } as TarHeader, MANIFEST]);
    await expectUnusable(inPax, detail);
    await expectUnusable(rawZip([{ name: 'manifest.json\0.txt' }]), detail);
  });

  test('a name that is not UTF-8 is refused', async () => {
    const name = Buffer.from('\xff/manifest.json', 'latin1');
    await expectUnusable(rawZip([{ name }]), /has characters that no name may have/);
    const archive = await tar(['A/manifest.json', MANIFEST]);
    archive[0] = 0xff;
    await expectUnusable(fixChecksum(archive), /has characters that no name may have/);
  });

  test('no name at all is refused', async () => {
    await expectUnusable(rawZip([{ name: '' }]), /"" is no name/);
    const archive = await tar(['A', MANIFEST]);
    archive[0] = 0;
    await expectUnusable(fixChecksum(archive), /"" is no name/);
  });

  test.each([
    ['symlink', /"manifest.json" is a symbolic link/],
    ['link', /"manifest.json" is a hard link/],
    ['character-device', /"manifest.json" is a device/],
    ['block-device', /"manifest.json" is a device/],
    ['fifo', /"manifest.json" is a pipe/],
  ] as const)('a %s in a tar is refused', async (type, detail) => {
    const archive = await tar(
      [{ name: 'manifest.json', type, linkname: '/etc/passwd' }],
      ['README.md', MANIFEST],
    );
    await expectUnusable(archive, detail);
  });

  test('an entry of an unknown type is refused', async () => {
    const archive = await tar(['manifest.json', MANIFEST]);
    archive.write('S', 156);
    await expectUnusable(fixChecksum(archive), /is neither a file nor a folder/);
  });

  test.each([
    [0o120777, /"manifest.json" is a symbolic link/],
    [0o020644, /"manifest.json" is neither a file nor a folder/],
    [0o060644, /"manifest.json" is neither a file nor a folder/],
    [0o010644, /"manifest.json" is neither a file nor a folder/],
    [0o140644, /"manifest.json" is neither a file nor a folder/],
  ])('a zip’s entry of mode %i is refused', async (mode, detail) => {
    await expectUnusable(rawZip([{ name: 'manifest.json', mode }]), detail);
  });

  test('a link is refused even if archivers’ own files would be ignored', async () => {
    const archive = await tar([{ name: '._x', type: 'symlink', linkname: '/' }], ['manifest.json', MANIFEST]);
    await expectUnusable(archive, /"._x" is a symbolic link/);
  });

  test('an encrypted entry is refused, and one that is not deflated', async () => {
    const encrypted = rawZip([{ name: 'manifest.json', flags: 0x801 }]);
    await expectUnusable(encrypted, /"manifest.json" is encrypted/);
    const lzma = rawZip([{ name: 'manifest.json', method: 14 }]);
    await expectUnusable(lzma, /"manifest.json" is compressed by method 14/);
  });

  test('links that the system’s tar and zip made lead nowhere', async () => {
    const source = createFolderForThisTest();
    execFileSync('ln', ['-s', '/etc/passwd', join(source, 'manifest.json')]);
    const archive = execFileSync('tar', ['-C', source, '-czf', '-', '.']);
    await expectUnusable(archive, /".\/manifest.json" is a symbolic link/);
    await rm(join(source, 'manifest.json'));
    await writeFile(join(source, 'golden.json'), MANIFEST);
    execFileSync('ln', [join(source, 'golden.json'), join(source, 'manifest.json')]);
    const linked = execFileSync('tar', ['-C', source, '-cf', '-', '.']);
    await expectUnusable(linked, /is a hard link/);
  });
});

describe('what cannot be read', () => {
  test.each<[what: string, body: string | Buffer, detail: RegExp]>([
    ['an empty body', '', /The body is empty/],
    ['text', '{"name": "churn"}', /neither a .tar nor a .tar.gz nor a .zip/],
    ['a single byte', '\x1f', /neither a .tar/],
    ['zeros', Buffer.alloc(10_240), /neither a .tar/],
    ['a model', Buffer.from('\x08\x07\x12\x08skl2onnx'), /neither a .tar/],
    ['another compression', Buffer.from('BZh91AY&SY'), /neither a .tar/],
    [
      'gzip of no tar',
      gzipSync(Buffer.alloc(2000, 'text')),
      /cannot be read at its beginning \(.*tar header/,
    ],
    ['gzip of nothing', gzipSync(Buffer.alloc(0)), /cannot be read at its beginning \(its end is missing\)/],
    ['gzip of a zip', gzipSync(rawZip([{ name: 'manifest.json' }])), /cannot be read at its beginning/],
    [
      'two bytes of gzip',
      Buffer.from([0x1f, 0x8b]),
      /cannot be read at its beginning \(unexpected end of file/,
    ],
    ['the beginning of a zip', 'PK\x03\x04', /cannot be read at its beginning/],
  ])('%s is refused', async (_what, body, detail) => {
    await expectUnreadable(Buffer.from(body), detail);
  });

  test('a zip and a tar without entries have no manifest', async () => {
    await expectUnusable(rawZip([]), /no manifest.json/);
    await expectUnusable(gzipSync(Buffer.alloc(1024)), /no manifest.json/);
  });

  test('a tar that was cut off anywhere is refused', async () => {
    const archive = await tar(['manifest.json', MANIFEST], ['README.md', Buffer.alloc(1500, 'x')]);
    const [, readme, end] = await boundaries(archive);
    for (const length of [300, 511, 512, 520, 1023, readme!, readme! + 1, readme! + 512, end! - 1, end!]) {
      for (const cut of [archive.subarray(0, length), gzipSync(archive.subarray(0, length))]) {
        await expectUnreadable(cut, /cannot be read .* \(its end is missing\)/);
      }
    }
    await unpack(archive.subarray(0, end! + 512));
  });

  test.each(['tar.gz', 'zip'])('a %s that was cut off anywhere is refused', async (format) => {
    const archive = await (format === 'zip' ? zip : tarGz)(ARTIFACT);
    const lengths = Array.from({ length: 50 }, (_, i) => Math.floor((archive.length * i) / 50));
    for (const length of [...lengths.slice(1), archive.length - 8, archive.length - 1]) {
      await expectUnreadable(archive.subarray(0, length), /cannot be read .* \(/);
    }
  });

  test('a tar with a wrong byte in a header is refused', async () => {
    const archive = await tar(['manifest.json', MANIFEST], ['README.md', MANIFEST]);
    archive[1024 + 3]! ^= 1;
    await expectUnreadable(archive, /cannot be read at or after "manifest.json" \(Invalid tar header/);
  });

  test('a gzip with a wrong checksum is refused, even though all its files are there', async () => {
    const archive = await tarGz(ARTIFACT);
    archive[archive.length - 8]! ^= 1;
    await expectUnreadable(archive, /cannot be read at or after ".*" \(incorrect data check/);
  });

  test('a zip whose content has a wrong byte is refused', async () => {
    const archive = rawZip([{ name: 'manifest.json', method: 0 }]);
    archive[archive.indexOf(MANIFEST) + 3]! ^= 1;
    await expectUnreadable(archive, /at or after "manifest.json" \(incorrect data check/);
  });

  test('a zip whose content is not valid deflate is refused', async () => {
    const archive = rawZip([{ name: 'manifest.json' }]);
    archive[43] = 0xff;
    await expectUnreadable(archive, /at or after "manifest.json" \(invalid/);
  });

  test('a zip whose directory is damaged is refused', async () => {
    const archive = rawZip([{ name: 'manifest.json' }, { name: 'README.md' }]);
    archive[archive.lastIndexOf('PK\x01\x02')]! ^= 1;
    await expectUnreadable(archive, /at or after "manifest.json" \(.*central directory/);
  });

  test.each([-1n, 2n ** 60n, 2n ** 40n])('a zip whose directory is at %i is refused', async (offset) => {
    const archive = rawZip([{ name: 'manifest.json' }], { claimedEntries: 70_000 });
    const end = archive.indexOf('PK\x06\x06');
    archive.writeBigUInt64LE(1n, end + 32);
    archive.writeBigUInt64LE(BigInt.asUintN(64, offset), end + 48);
    await expectUnreadable(archive, /cannot be read at its beginning/);
  });

  test('a folder in a tar that claims to have content does not make it wait', async () => {
    const archive = await tar([{ name: 'a/', type: 'directory' }], ['a/manifest.json', MANIFEST]);
    archive.write('00000001000', 124);
    expect(await readdir(await unpack(fixChecksum(archive)))).toEqual(['manifest.json']);
  });

  test('a tar with an entry without a size is refused', async () => {
    const archive = await tar(['manifest.json', MANIFEST]);
    archive[124] = 0xea;
    await expectUnreadable(fixChecksum(archive), /the size is not a number/);
  });

  test('a file in a tar whose name ends like a folder’s is skipped with its content', async () => {
    const archive = await tar(['a/', Buffer.alloc(100_000)], ['a/manifest.json', MANIFEST]);
    expect(await readdir(await unpack(archive))).toEqual(['manifest.json']);
  });

  test('an error of the system is not blamed on the archive', async () => {
    await mkdir(join(folder, 'artifact'));
    const unpacked = unpackArchive(inChunks(await tarGz(ARTIFACT)), folder, { maxBytes: MIB });
    await expect(unpacked).rejects.toMatchObject({ code: 'EEXIST', syscall: 'mkdir' });
  });
});

describe('limits', () => {
  test('an archive may have as many bytes as the limit, but not one more', async () => {
    const archive = await tar(['manifest.json', MANIFEST]);
    await unpack(archive, archive.length);
    const detail = new RegExp(`^The archive has more than ${archive.length - 1} bytes.* MAX_ARTIFACT_BYTES`);
    await expectTooLarge(archive, detail, archive.length - 1);
  });

  test('the unpacked files may have as many bytes as the limit, but not one more', async () => {
    const files = { 'manifest.json': Buffer.alloc(50_000), 'README.md': Buffer.alloc(50_000) };
    for (const archive of [
      gzipSync(await tar(...Object.entries(files))),
      rawZip(Object.entries(files).map(([name, content]) => ({ name, content }))),
    ]) {
      await unpack(archive, 100_000);
      await expectTooLarge(archive, /^What the archive holds has more than 99999 bytes/, 99_999);
    }
  });

  test('an upload that is too large is read no further than that, and not destroyed', async () => {
    let sent = 0;
    const header = (await tar(['a/'])).subarray(0, 512);
    const upload = Readable.from(
      (function* () {
        for (let entry = 0; entry < 1_000_000; entry++, sent += 512) yield header;
      })(),
      { objectMode: false },
    );
    await expectTooLarge(upload, /more than 1048576 bytes/, MIB);
    expect(sent).toBeGreaterThan(MIB - 512);
    expect(sent).toBeLessThan(2 * MIB);
    expect(upload.destroyed).toBe(false);
    upload.destroy();
  });

  const zeros = Buffer.alloc(64 * MIB);

  test.each<[what: string, bomb: () => Promise<Buffer> | Buffer]>([
    ['a gzip', async () => gzipSync(await tar(['manifest.json', zeros]))],
    [
      'a gzip, in what is not written,',
      async () => gzipSync(await tar(['._x', zeros], ['manifest.json', MANIFEST])),
    ],
    ['a gzip, in a file called like a folder,', async () => gzipSync(await tar(['a/', zeros]))],
    ['a zip', () => rawZip([{ name: 'manifest.json', content: zeros }])],
    ['a zip, in what is not written,', () => rawZip([{ name: '._x', content: zeros }])],
    ['a zip, in a folder,', () => rawZip([{ name: 'a/', content: zeros }])],
  ])('%s of 64 MiB of zeros ends at the limit of 1 MiB', async (_what, bomb) => {
    const archive = await bomb();
    expect(archive.length).toBeLessThan(200_000);
    await expectTooLarge(archive, /^What the archive holds has more than 1048576 bytes/, MIB);
    expect(await bytesOnDisk()).toBeLessThanOrEqual(MIB);
  });

  test('a zip that claims to be small is read only up to its claimed size', async () => {
    const archive = rawZip([{ name: 'manifest.json', content: zeros, size: 1000 }]);
    await expectUnreadable(archive, /at or after "manifest.json" \(too many bytes/);
    expect(await bytesOnDisk()).toBeLessThanOrEqual(1000);
  });

  test('a tar that claims to be small or large counts by its real size', async () => {
    const archive = await tar(['manifest.json', MANIFEST]);
    archive.write('77777777777', 124);
    await expectUnreadable(fixChecksum(archive), /at or after "manifest.json" \(Unexpected end of data/);
    expect(await bytesOnDisk()).toBeLessThanOrEqual(2048);
  });

  test.each<[what: string, bomb: () => Promise<Buffer>]>([
    ['padding', async () => Buffer.concat([await tar(['manifest.json', MANIFEST]), zeros])],
    ['one header', async () => tar([{ name: 'x', pax: { path: 'x'.repeat(3 * MIB) } } as TarHeader])],
    [
      'headers',
      async () => {
        const member = await tar([{ name: 'x', pax: { comment: 'x'.repeat(1000) } } as TarHeader]);
        // The pax header with its content, but not its entry.
        return Buffer.concat(Array.from({ length: 5000 }, () => member.subarray(0, 512 + 1024)));
      },
    ],
  ])('a gzip of nothing but %s ends after 1 MiB', async (_what, bomb) => {
    // If it were read further, the error would be about this.
    const archive = gzipSync(await bomb());
    archive[archive.length - 8]! ^= 1;
    await expectUnusable(archive, /more than 1048576 bytes beside/, 1024 * MIB);
  });

  test('64 entries are taken, but not one more', async () => {
    const folders = Array.from({ length: 63 }, (_, i) => `${i}/`);
    for (const make of [
      (names: string[]) => tar(...names.map((name): [string, Buffer?] => [name])),
      (names: string[]) => rawZip(names.map((name) => ({ name, content: Buffer.alloc(0), method: 0 }))),
    ]) {
      await unpack(await make([...folders, 'manifest.json']));
      const archive = await make([...folders, '63/', 'manifest.json']);
      await expectUnusable(archive, /more than 64 entries/);
    }
  });

  test('of a tar with a million entries only the beginning is read', async () => {
    const headers = Array.from({ length: 1000 }, () => ['a/'] as [string]);
    const member = gzipSync((await tar(...headers)).subarray(0, -1024));
    const broken = Buffer.from(member);
    broken[broken.length - 8]! ^= 1;
    // Reading beyond the first thousandth would report the checksum of the second.
    const archive = Buffer.concat([member, broken, ...Array.from({ length: 998 }, () => member)]);
    await expectUnusable(archive, /more than 64 entries/);
    const begun = Buffer.concat([member.subarray(0, -1), Buffer.from([0xff])]);
    await expectUnusable(begun, /more than 64 entries/);
  });

  test('a zip that has or claims a million entries is refused before anything of it is unpacked', async () => {
    const claim = rawZip([{ name: 'manifest.json' }], { claimedEntries: 1_000_000 });
    await expectUnusable(claim, /more than 64 entries/);
    expect(await readdir(join(folder, 'artifact'))).toEqual([]);

    const one = rawZip([{ name: 'manifest.json' }]);
    const record = one.subarray(one.indexOf('PK\x01\x02'), -22);
    const files = one.subarray(0, one.indexOf('PK\x01\x02'));
    const end = rawZip([{ name: 'manifest.json' }], { claimedEntries: 1_000_000 }).subarray(-98);
    const records = Buffer.concat(Array.from({ length: 1_000_000 }, () => record));
    end.writeBigUInt64LE(BigInt(files.length + records.length), 64);
    const million = Buffer.concat([files, records, end]);
    const upload = inChunks(million, MIB);
    await expectUnusable(upload, /more than 64 entries/, 128 * MIB);
    expect(await readdir(join(folder, 'artifact'))).toEqual([]);
  });
});

describe('an interrupted upload', () => {
  test('with an error rejects with that error', async () => {
    const archive = await tarGz(ARTIFACT);
    const upload = Readable.from(
      (function* () {
        yield archive.subarray(0, 2000);
        throw new Error('connection lost');
      })(),
    );
    await expect(unpack(upload)).rejects.toThrow('connection lost');
  });

  test('without an error rejects', async () => {
    const upload = new Readable({ read: () => undefined });
    upload.push((await tarGz(ARTIFACT)).subarray(0, 2000));
    const failure = unpack(upload).catch((error: unknown) => error);
    await expect.poll(bytesOnDisk).toBe(2000);
    expect(await openHandles()).toHaveLength(process.platform === 'linux' ? 1 : 0);
    upload.destroy();
    expect(await failure).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  test('before it is read rejects, and needs no other error handler', async () => {
    const upload = new Readable({ read: () => undefined });
    const failure = unpack(upload).catch((error: unknown) => error);
    upload.destroy(new Error('connection lost'));
    expect(await failure).toMatchObject({ message: 'connection lost' });
    const destroyed = new Readable({ read: () => undefined }).destroy();
    await expect(unpack(destroyed)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

/** Makes the first header's checksum right again: the sum of its bytes, with its own as spaces. */
function fixChecksum(archive: Buffer): Buffer {
  archive.fill(' ', 148, 156);
  const sum = archive.subarray(0, 512).reduce((sum, byte) => sum + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return archive;
}

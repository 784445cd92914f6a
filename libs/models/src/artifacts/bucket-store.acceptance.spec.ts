import { randomBytes, randomUUID } from 'node:crypto';
import { cp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { inspect } from 'node:util';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';
import { loadConfig } from '#libs/config';
import { readArtifact } from '#libs/inference';
import { IRIS, makeArtifact } from '../../../../test/support/artifacts.js';
import { startBucketServer, type BucketServer } from '../../../../test/support/bucket-server.js';
import { createFolderForThisTest } from '../../../../test/support/folders.js';
import { otherIris, put, storedIris } from '../../../../test/support/stored-artifacts.js';
import { createArtifactStore, type ArtifactStore, type StoredArtifact } from './artifact-store.js';
import { BucketStore } from './bucket-store.js';

let server: BucketServer;
/** Each test has its own bucket on the one server. */
let bucket: string;
let folder: string;
let cacheDir: string;
let store: ArtifactStore;
let iris: StoredArtifact;

beforeAll(async () => {
  server = await startBucketServer();
  iris = await storedIris();
});
afterAll(() => server.stop());

beforeEach(async () => {
  folder = createFolderForThisTest();
  cacheDir = join(folder, 'data/model-cache');
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  bucket = `models-${randomUUID()}`;
  await server.createBucket(bucket);
  store = storeOf(`s3://${bucket}/team/production`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  Object.assign(server, { onRequest: undefined, conditionalWrites: true });
  server.requests.length = 0;
});

function storeOf(url: string, environment: Record<string, string> = {}): ArtifactStore {
  return createArtifactStore(
    loadConfig({
      ...server.environment,
      MODEL_STORE: url,
      DATA_DIR: join(folder, 'data'),
      ...environment,
    }),
  );
}

const keyOf = (file: string, { contentSha256 } = iris) => `team/production/iris/1/${contentSha256}/${file}`;
const MARKER = 'team/production/iris/1/content.sha256';
const overwrite = (Key: string, Body: string) =>
  server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const remove = (Key: string) => server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => expect.unreachable('it succeeded'),
    (error: Error) => error,
  );
  expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/S3RVER|hunter2|Signature=/);
  return error.message;
}

test('a stored artifact is read from the cache, byte for byte, with the marker written last', async () => {
  await put(store, IRIS, iris);
  const puts = server.requests.filter((request) => request.startsWith('PUT'));
  const files = [
    'manifest.json',
    'input_schema.json',
    'golden.json',
    'model.onnx',
    'reference_statistics.json',
    'README.md',
  ];
  expect(puts).toEqual([...files.map((file) => keyOf(file)), MARKER].map((key) => `PUT /${bucket}/${key}`));

  const fetched = await store.folderOf(iris);
  expect(fetched).toBe(join(cacheDir, iris.contentSha256));
  expect((await readdir(fetched)).toSorted()).toEqual(files.toSorted());
  for (const file of files) {
    expect(await readFile(join(fetched, file)), file).toEqual(await readFile(join(IRIS, file)));
  }
  expect(await readdir(cacheDir), 'no draft is left').toEqual([iris.contentSha256]);
});

test('a bucket without a prefix works as well', async () => {
  const whole = storeOf(`s3://${bucket}`);
  await put(whole, IRIS, iris);
  expect(server.requests.at(-1)).toBe(`GET /${bucket}/iris/1/content.sha256`);
  await expect(whole.folderOf(iris)).resolves.toBe(join(cacheDir, iris.contentSha256));
});

test('a cached artifact needs no server and no client', async () => {
  await put(store, IRIS, iris);
  const fetched = await store.folderOf(iris);
  server.requests.length = 0;
  const offline = storeOf(`s3://${bucket}/team/production`, { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' });
  await expect(offline.folderOf(iris)).resolves.toBe(fetched);
  expect(server.requests).toEqual([]);
});

test('a cached folder that was damaged is fetched again', async () => {
  await put(store, IRIS, iris);
  const fetched = await store.folderOf(iris);
  await writeFile(join(fetched, 'model.onnx'), 'damaged');
  await expect(store.folderOf(iris)).resolves.toBe(fetched);
  expect((await readArtifact(fetched)).contentSha256).toBe(iris.contentSha256);
  await rm(join(fetched, 'golden.json'));
  await expect(store.folderOf(iris)).resolves.toBe(fetched);
  expect((await readArtifact(fetched)).contentSha256).toBe(iris.contentSha256);
  expect(await readdir(cacheDir)).toEqual([iris.contentSha256]);
});

describe('an object that was tampered with is refused, and nothing of it is kept', () => {
  test.each([
    ['model.onnx', /the sha256 of model\.onnx is [0-9a-f]{64}, the manifest says [0-9a-f]{64}\./],
    ['golden.json', /expected [0-9a-f]{64}, found [0-9a-f]{64}\./],
  ])('%s', async (file, reason) => {
    await put(store, IRIS, iris);
    await overwrite(keyOf(file), 'tampered');
    const message = await messageOf(store.folderOf(iris));
    expect(message).toContain(
      `The model artifact in s3://${bucket}/team/production/iris/1/ cannot be used: `,
    );
    expect(message).toMatch(reason);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('all files of another artifact', async () => {
    await put(store, IRIS, iris);
    const { source, artifact } = await otherIris(folder);
    await overwrite(keyOf('manifest.json'), await readFile(join(source, 'manifest.json'), 'utf8'));
    expect(await messageOf(store.folderOf(iris))).toContain(
      `expected ${iris.contentSha256}, found ${artifact.contentSha256}`,
    );
  });

  test('a missing file', async () => {
    await put(store, IRIS, iris);
    await remove(keyOf('model.onnx'));
    expect(await messageOf(store.folderOf(iris))).toMatch(
      /iris\/1\/ cannot be used: model\.onnx cannot be read/,
    );
  });
});

describe('an interrupted upload', () => {
  test('is not a version, and is completed by the next', async () => {
    server.onRequest = ({ method, url, socket }) => {
      if (method === 'PUT' && url!.includes('model.onnx')) socket.destroy();
    };
    expect(await messageOf(put(store, IRIS, iris))).toMatch(
      /^The model store .* cannot be reached \((ECONNRESET|EPIPE)\)\.$/,
    );
    server.onRequest = undefined;
    expect(await messageOf(store.folderOf(iris))).toMatch(
      /missing, or not there completely: there is no content\.sha256/,
    );
    await put(store, IRIS, iris);
    await expect(store.folderOf(iris)).resolves.toBe(join(cacheDir, iris.contentSha256));
  });

  test('leaves nothing behind in the artifact that replaces it', async () => {
    await put(store, IRIS, iris);
    await remove(MARKER);
    const { source, artifact } = await otherIris(folder);
    await rm(join(source, 'README.md'));
    await put(store, source, artifact);
    expect(await readdir(await store.folderOf(artifact))).not.toContain('README.md');
  });
});

test('the same content again changes nothing', async () => {
  await put(store, IRIS, iris);
  server.requests.length = 0;
  await put(store, IRIS, iris);
  expect(server.requests).toEqual([`GET /${bucket}/${MARKER}`]);
});

test('other content under the same name and version is refused, and what was kept stays', async () => {
  await put(store, IRIS, iris);
  const { source, artifact } = await otherIris(folder);
  await expect(put(store, source, artifact)).rejects.toMatchObject({ code: 'model-version-exists' });
  expect(await messageOf(store.folderOf(artifact))).toContain(
    `expected ${artifact.contentSha256}, found ${iris.contentSha256}`,
  );
  await expect(store.folderOf(iris)).resolves.toBe(join(cacheDir, iris.contentSha256));
});

test('if many put two different contents at once, one content wins, and the others get an error', async () => {
  const { source, artifact } = await otherIris(folder);
  const puts = await Promise.allSettled(
    Array.from({ length: 6 }, (_, index) =>
      index % 2 ? put(store, source, artifact) : put(store, IRIS, iris),
    ),
  );
  const [won, lost] = puts[0]!.status === 'fulfilled' ? [iris, artifact] : [artifact, iris];
  for (const [index, put] of puts.entries()) {
    if ((index % 2 ? artifact : iris) === won) expect(put.status).toBe('fulfilled');
    else expect(put).toMatchObject({ reason: { code: 'model-version-exists' } });
  }
  await expect(store.folderOf(won!)).resolves.toBe(join(cacheDir, won!.contentSha256));
  await expect(store.folderOf(lost!)).rejects.toThrow('its content is not what was registered');
});

test('an upload overtaken by other content gets an error, and the other content stays', async () => {
  const { source, artifact } = await otherIris(folder);
  server.onRequest = async ({ method, url }) => {
    if (method !== 'PUT' || !url!.includes('content.sha256')) return;
    server.onRequest = undefined;
    await put(store, source, artifact);
  };
  await expect(put(store, IRIS, iris)).rejects.toMatchObject({ code: 'model-version-exists' });
  await expect(store.folderOf(artifact)).resolves.toBe(join(cacheDir, artifact.contentSha256));
});

test.each([false, 'not implemented'] as const)(
  'a server whose conditional writes are %s is good as well',
  async (conditionalWrites) => {
    server.conditionalWrites = conditionalWrites;
    await put(store, IRIS, iris);
    await expect(store.folderOf(iris)).resolves.toBe(join(cacheDir, iris.contentSha256));
    const { source, artifact } = await otherIris(folder);
    await expect(put(store, source, artifact)).rejects.toMatchObject({ code: 'model-version-exists' });
  },
);

test('a marker without a sha256 is reported', async () => {
  await overwrite(MARKER, '<html>');
  const message = `s3://${bucket}/${MARKER} does not hold a sha256.`;
  expect(await messageOf(put(store, IRIS, iris))).toBe(message);
  expect(await messageOf(store.folderOf(iris))).toBe(message);
});

test('an interrupted request is retried', async () => {
  const broken = new Set<string>();
  server.onRequest = ({ method, url, socket }) => {
    const request = `${method} ${url}`;
    if (broken.has(request)) return;
    broken.add(request);
    socket.destroy();
  };
  await put(store, IRIS, iris);
  await expect(store.folderOf(iris)).resolves.toBe(join(cacheDir, iris.contentSha256));
  expect(broken.size).toBeGreaterThan(10);
}, 60_000);

test('the cache keeps only the last 32 artifacts, and those used within the hour', async () => {
  await put(store, IRIS, iris);
  const cache = (index: number) => join(cacheDir, `${index}`.padStart(64, '0'));
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  for (let index = 0; index < 40; index++) {
    await cp(IRIS, cache(index), { recursive: true });
    await utimes(cache(index), minutesAgo(70 + index), minutesAgo(70 + index));
  }
  await utimes(cache(39), minutesAgo(5), minutesAgo(5));
  await store.folderOf(iris);
  const left = (await readdir(cacheDir)).toSorted();
  const expected = [cache(39), ...Array.from({ length: 30 }, (_, index) => cache(index))];
  expect(left).toEqual([iris.contentSha256, ...expected.map((path) => basename(path))].toSorted());

  for (let index = 0; index < 40; index++) {
    await cp(IRIS, cache(index), { recursive: true });
    await utimes(cache(index), minutesAgo(50), minutesAgo(50));
  }
  await rm(join(cacheDir, iris.contentSha256), { recursive: true });
  await store.folderOf(iris);
  expect(await readdir(cacheDir)).toHaveLength(41);
});

test('two that fetch at once both get it', async () => {
  await put(store, IRIS, iris);
  const fetched = await Promise.all(
    [1, 2, 3].map(() => storeOf(`s3://${bucket}/team/production`).folderOf(iris)),
  );
  expect(new Set(fetched)).toEqual(new Set([join(cacheDir, iris.contentSha256)]));
  expect(await readdir(cacheDir)).toEqual([iris.contentSha256]);
});

test('a graph of some megabytes arrives whole', async () => {
  const graph = randomBytes(8 * 1024 ** 2);
  const source = await makeArtifact(join(folder, 'big'), { graph: () => graph });
  const big = await storedIris(source);
  await put(store, source, big);
  expect((await readFile(join(await store.folderOf(big), 'model.onnx'))).equals(graph)).toBe(true);
});

describe('names the fault, the bucket and the endpoint, and no secret', () => {
  const both = async (store: ArtifactStore) => {
    const message = await messageOf(store.folderOf(iris));
    expect(await messageOf(put(store, IRIS, iris))).toBe(message);
    return message;
  };

  test('no such bucket', async () => {
    expect(await both(storeOf('s3://nowhere/models/'))).toBe(
      `The model store s3://nowhere/models at ${server.endpoint} cannot be used: there is no such bucket.`,
    );
  });

  test.each([
    ['AWS_ACCESS_KEY_ID', 'hunter2', 'it refuses access (InvalidAccessKeyId); check the credentials'],
    ['AWS_SECRET_ACCESS_KEY', 'hunter2', 'it refuses access (SignatureDoesNotMatch); check the credentials'],
  ])('a wrong %s', async (name, value, reason) => {
    vi.stubEnv(name, value);
    expect(await both(storeOf(`s3://${bucket}`))).toContain(`${server.endpoint} cannot be used: ${reason}`);
  });

  test.each([
    ['AWS_ACCESS_KEY_ID', 'there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
    ['AWS_REGION', 'there is no region; set AWS_REGION'],
  ])('no %s', async (name, reason) => {
    vi.stubEnv(name, undefined);
    // Nor any that the machine may have of its own.
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
    expect(await both(storeOf(`s3://${bucket}`))).toContain(`${server.endpoint} cannot be used: ${reason}.`);
  });

  test('no server listens', async () => {
    const nobody = storeOf('s3://models/x', { AWS_ENDPOINT_URL_S3: 'http://user:hunter2@127.0.0.1:1/' });
    expect(await both(nobody)).toBe(
      'The model store s3://models/x at http://127.0.0.1:1 cannot be used: it cannot be reached (ECONNREFUSED).',
    );
  });

  test('a server listens and never answers', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const patient = new BucketStore({
      url: 's3://models',
      endpoint: `http://127.0.0.1:${port}`,
      cacheDir,
      answerTimeoutMs: 500,
    });
    expect(await both(patient)).toContain('cannot be used: it does not answer in time.');
  });

  test('a DATA_DIR that cannot be written', async () => {
    await put(store, IRIS, iris);
    await writeFile(join(folder, 'data'), '');
    expect(await messageOf(store.folderOf(iris))).toMatch(/^DATA_DIR \(.*model-cache\) cannot be written: E/);
  });
});

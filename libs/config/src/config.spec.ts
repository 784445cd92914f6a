import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, variables } from './config.js';
import type { TrustedProxies } from './trusted-proxies.js';

const SECRET = 'thirty-two bytes of a secret ...';
const PRODUCTION = {
  APP_ENV: 'production',
  DATABASE_URL: 'postgresql://db.example/foretell',
  JWT_SECRET: SECRET,
};

/** What is wrong with this environment: one line for each variable. */
function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const namesIn = (problems: readonly string[]) => problems.map((problem) => problem.split(':')[0]);

test('an empty environment has every default of the operating contract', () => {
  expect(loadConfig({})).toEqual({
    appEnv: 'local',
    isProduction: false,
    host: '127.0.0.1',
    port: 8001,
    webConcurrency: 1,
    drainMs: 0,
    trustedProxies: false,
    requestTimeoutMs: 30_000,
    maxBodyBytes: 1024 ** 2,
    metricsPort: undefined,
    metricsHost: '127.0.0.1',
    traces: undefined,
    logLevel: 'info',
    dataDir: join(process.cwd(), '.data'),
    databaseUrl: undefined,
    databasePoolSize: 10,
    jwtSecret: undefined,
    jwtTtlMinutes: 60,
    jwtIssuer: 'foretell',
    jwtAudience: 'foretell',
    bcryptCost: 12,
    passwordMinLength: 1,
    loginFailuresPerMinute: 10,
    registration: 'open',
    registrationsPerMinute: 60,
    docsPath: '/docs',
    docsEnabled: true,
    modelDir: join(process.cwd(), 'model-artifacts'),
    defaultModel: 'heart-failure',
    modelStore: undefined,
    modelStoreEndpoint: undefined,
    maxArtifactBytes: 256 * 1024 ** 2,
    predictionTimeoutMs: 30_000,
    modelQueueRows: 10_000,
    modelCheckTimeoutMs: 60_000,
    modelMemoryBytes: 2_147_483_648,
    auditMode: 'commit',
    auditQueueRows: 10_000,
    batchDir: join(process.cwd(), '.data/batches'),
    batchWorker: 'beside',
    maxBatchBytes: 1024 ** 3,
    maxBatchUnpackedBytes: 8 * 1024 ** 3,
    maxBatchBytesPerUser: 16 * 1024 ** 3,
    batchDiskReserveBytes: 1024 ** 3,
    maxBatchesPerUser: 10,
    batchTtlHours: 72,
  });
});

test('every variable reaches the setting it is for', () => {
  const config = loadConfig({
    ...PRODUCTION,
    HOST: '0.0.0.0',
    PORT: '0',
    WEB_CONCURRENCY: '4',
    DRAIN_MS: '500',
    TRUST_PROXY: '10.0.0.0/8, loopback',
    REQUEST_TIMEOUT_MS: '300',
    MAX_BODY_BYTES: '2048',
    METRICS_PORT: '9464',
    METRICS_HOST: '::1',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_SERVICE_NAME: 'predictions',
    LOG_LEVEL: 'warn',
    DATA_DIR: '/var/lib/foretell',
    DATABASE_POOL_SIZE: '20',
    JWT_TTL_MINUTES: '5',
    JWT_ISSUER: 'https://issuer.example',
    JWT_AUDIENCE: 'clients',
    BCRYPT_COST: '10',
    PASSWORD_MIN_LENGTH: '12',
    LOGIN_FAILURES_PER_MINUTE: '3',
    REGISTRATION: 'open',
    REGISTRATIONS_PER_MINUTE: '6',
    DOCS_PATH: '/api/documentation',
    DOCS_ENABLED: 'true',
    MODEL_DIR: '/models',
    DEFAULT_MODEL: 'iris',
    MODEL_STORE: 's3://models/production',
    AWS_ENDPOINT_URL: 'https://objects.example',
    AWS_ENDPOINT_URL_S3: 'https://s3.example',
    MAX_ARTIFACT_BYTES: '4096',
    PREDICTION_TIMEOUT_MS: '250',
    MODEL_QUEUE_ROWS: '9',
    MODEL_CHECK_TIMEOUT_MS: '5000',
    MODEL_MEMORY_BYTES: '268435456',
    AUDIT_MODE: 'async',
    AUDIT_QUEUE_ROWS: '7',
    BATCH_DIR: '/var/lib/batches',
    BATCH_WORKER: 'separate',
    MAX_BATCH_BYTES: '1234567',
    MAX_BATCH_UNPACKED_BYTES: '2345678',
    MAX_BATCH_BYTES_PER_USER: '3456789',
    BATCH_DISK_RESERVE_BYTES: '4567890',
    MAX_BATCHES_PER_USER: '4',
    BATCH_TTL_HOURS: '24',
  });
  expect(config).toEqual({
    appEnv: 'production',
    isProduction: true,
    host: '0.0.0.0',
    port: 0,
    webConcurrency: 4,
    drainMs: 500,
    trustedProxies: ['10.0.0.0/8', 'loopback'],
    requestTimeoutMs: 300,
    maxBodyBytes: 2048,
    metricsPort: 9464,
    metricsHost: '::1',
    traces: { exporter: 'otlp', protocol: 'http/json', serviceName: 'predictions' },
    logLevel: 'warn',
    dataDir: '/var/lib/foretell',
    databaseUrl: PRODUCTION.DATABASE_URL,
    databasePoolSize: 20,
    jwtSecret: SECRET,
    jwtTtlMinutes: 5,
    jwtIssuer: 'https://issuer.example',
    jwtAudience: 'clients',
    bcryptCost: 10,
    passwordMinLength: 12,
    loginFailuresPerMinute: 3,
    registration: 'open',
    registrationsPerMinute: 6,
    docsPath: '/api/documentation',
    docsEnabled: true,
    modelDir: '/models',
    defaultModel: 'iris',
    modelStore: 's3://models/production',
    modelStoreEndpoint: 'https://s3.example',
    maxArtifactBytes: 4096,
    predictionTimeoutMs: 250,
    modelQueueRows: 9,
    modelCheckTimeoutMs: 5_000,
    modelMemoryBytes: 268_435_456,
    auditMode: 'async',
    auditQueueRows: 7,
    batchDir: '/var/lib/batches',
    batchWorker: 'separate',
    maxBatchBytes: 1_234_567,
    maxBatchUnpackedBytes: 2_345_678,
    maxBatchBytesPerUser: 3_456_789,
    batchDiskReserveBytes: 4_567_890,
    maxBatchesPerUser: 4,
    batchTtlHours: 24,
  });
});

test.each([
  [{}, undefined],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, undefined],
  [{ OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' }, undefined],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, undefined],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector/v1/traces' }, 'otlp'],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'otlp'],
  [{ OTEL_TRACES_EXPORTER: 'console' }, 'console'],
])('traces are sent where somebody asks for them: %j', (environment, exporter) => {
  expect(loadConfig(environment).traces?.exporter).toBe(exporter);
});

test('the configuration cannot be changed afterwards', () => {
  expect(loadConfig({})).toSatisfy(Object.isFrozen);
});

describe('bad variables', () => {
  const BAD = {
    APP_ENV: 'bad-production',
    PORT: '70666',
    TRUST_PROXY: 'bad-network',
    REQUEST_TIMEOUT_MS: '99',
    MAX_BODY_BYTES: '1023',
    METRICS_PORT: '70666',
    OTEL_TRACES_EXPORTER: 'bad-exporter',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'bad-host',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'bad://host',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'bad-protocol',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'bad-protocol',
    OTEL_SDK_DISABLED: 'bad-flag',
    LOG_LEVEL: 'bad-level',
    DATABASE_URL: 'bad://user:hunter2@host/db',
    DATABASE_POOL_SIZE: 'bad-number',
    JWT_SECRET: 'bad-short-secret',
    JWT_TTL_MINUTES: '-4711',
    BCRYPT_COST: '4711',
    PASSWORD_MIN_LENGTH: '73.5',
    LOGIN_FAILURES_PER_MINUTE: '4711.5',
    REGISTRATION: 'bad-word',
    REGISTRATIONS_PER_MINUTE: '-4711',
    MODEL_STORE: 'bad://bucket',
    AWS_ENDPOINT_URL: 'bad://host',
    AWS_ENDPOINT_URL_S3: 'bad-host',
    MAX_ARTIFACT_BYTES: '4.7',
    PREDICTION_TIMEOUT_MS: '-4711',
    MODEL_QUEUE_ROWS: '-4711',
    DOCS_PATH: 'bad path',
    DOCS_ENABLED: 'bad-flag',
    AUDIT_MODE: 'bad-mode',
    AUDIT_QUEUE_ROWS: '-4711',
    BATCH_WORKER: 'bad-place',
    MAX_BATCH_BYTES: '1023',
    MAX_BATCHES_PER_USER: '4711.5',
    BATCH_TTL_HOURS: '-4711',
  };

  test('are all reported at once, each by its name', () => {
    expect(namesIn(problemsOf(BAD)).toSorted()).toEqual(Object.keys(BAD).toSorted());
  });

  test.each(Object.entries(BAD))(
    '%s alone is reported, with what it should be and without its value',
    (name, value) => {
      const problems = problemsOf({ [name]: value });
      expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name}: .{10}`))]);
      expect(problems[0]).not.toContain(value);
    },
  );

  test('never show a value in the message that an operator reads', () => {
    const message = new ConfigError(problemsOf(BAD)).message;
    expect(() => loadConfig(BAD)).toThrow(message);
    expect(message).toMatch(/^The environment is not usable:\n {2}[A-Z_]+: /);
    expect(message).not.toMatch(/bad-|bad:|hunter2|4711|70666|1023|73\.5/);
  });

  test.each(['80.5', '1e9', 'eighty', '-1', '65536'])('PORT=%s is refused', (PORT) => {
    expect(namesIn(problemsOf({ PORT }))).toEqual(['PORT']);
  });

  test.each(['0', '65', '1.5', 'auto'])('WEB_CONCURRENCY=%s is refused', (WEB_CONCURRENCY) => {
    expect(namesIn(problemsOf({ WEB_CONCURRENCY }))).toEqual(['WEB_CONCURRENCY']);
  });

  test.each(['docs', '/', '/docs/', '//docs', '/do cs', '/docs?x', '/../docs/'])(
    'DOCS_PATH=%s is refused',
    (DOCS_PATH) => {
      expect(namesIn(problemsOf({ DOCS_PATH }))).toEqual(['DOCS_PATH']);
    },
  );

  test.each(['1', 'yes', 'TRUE'])('a flag is true or false, and not %s', (DOCS_ENABLED) => {
    expect(namesIn(problemsOf({ DOCS_ENABLED }))).toEqual(['DOCS_ENABLED']);
  });
});

describe('TRUST_PROXY', () => {
  test.each<[string, TrustedProxies]>([
    ['false', false],
    ['1', 1],
    ['99', 99],
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.0/8,::1, 2001:db8::/32', ['10.0.0.0/8', '::1', '2001:db8::/32']],
    ['loopback, linklocal, uniquelocal', ['loopback', 'linklocal', 'uniquelocal']],
  ])('may be %s', (TRUST_PROXY, trustedProxies) => {
    expect(loadConfig({ TRUST_PROXY }).trustedProxies).toEqual(trustedProxies);
  });

  test.each([
    '0',
    '100',
    '-1',
    '1.5',
    'TRUE',
    ',',
    '10.0.0.1,',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/0',
    '10.0.0',
    'all',
  ])('may not be %s', (TRUST_PROXY) => {
    expect(problemsOf({ TRUST_PROXY })).toEqual([
      'TRUST_PROXY: must be false, the number of proxies (1 to 99), or their networks, such as 10.0.0.0/8, loopback',
    ]);
  });

  test('may not be true, because anybody could then claim any address', () => {
    expect(problemsOf({ TRUST_PROXY: 'true' })).toEqual([
      expect.stringMatching(/^TRUST_PROXY: must be .*; true would believe any address that a caller claims/),
    ]);
  });
});

describe('JWT_SECRET', () => {
  test('of 31 bytes is refused, of 32 accepted', () => {
    expect(problemsOf({ JWT_SECRET: 'short' })).toEqual(['JWT_SECRET: must be at least 32 bytes long']);
    expect(problemsOf({ JWT_SECRET: SECRET.slice(0, 31) })).toHaveLength(1);
    expect(loadConfig({ JWT_SECRET: SECRET.slice(0, 32) }).jwtSecret).toBe(SECRET.slice(0, 32));
  });

  test.each([
    ['one letter', 'x'.repeat(32)],
    ['two letters', 'ab'.repeat(40)],
    ['few letters, in any order', 'abcdeedcbaabcdeedcbaabcdeedcbaab'],
    ['a word, over and over', 'password'.repeat(4)],
    ['a word, over and over, and cut off', 'password, password, password, pass'],
  ])('of %s is refused, and not shown', (_, JWT_SECRET) => {
    const problems = problemsOf({ JWT_SECRET });
    expect(problems).toEqual([expect.stringMatching(/^JWT_SECRET: must be random.*openssl rand/)]);
    expect(problems[0]).not.toContain(JWT_SECRET.slice(0, 6));
  });

  test('that is random is never refused, however it is written', () => {
    for (let time = 0; time < 1_000; time++) {
      const random = randomBytes(32);
      for (const encoding of ['hex', 'base64', 'base64url'] as const) {
        expect(problemsOf({ JWT_SECRET: random.toString(encoding) })).toEqual([]);
      }
      expect(problemsOf({ JWT_SECRET: random.subarray(16).toString('hex') })).toEqual([]);
    }
  });

  test('is measured in bytes, not in characters', () => {
    const umlauts = 'äöüÄÖÜßéèêëàâîïô';
    expect(loadConfig({ JWT_SECRET: umlauts }).jwtSecret).toBe(umlauts);
    expect(namesIn(problemsOf({ JWT_SECRET: umlauts.slice(1) + 'x' }))).toEqual(['JWT_SECRET']);
  });
});

describe('registration', () => {
  test('is open, and closed in production, unless told otherwise', () => {
    expect(loadConfig({}).registration).toBe('open');
    expect(loadConfig({ APP_ENV: 'staging' }).registration).toBe('open');
    expect(loadConfig(PRODUCTION).registration).toBe('closed');
    expect(loadConfig({ ...PRODUCTION, REGISTRATION: 'open' }).registration).toBe('open');
    expect(loadConfig({ REGISTRATION: 'closed' }).registration).toBe('closed');
  });
});

describe('production', () => {
  test('needs DATABASE_URL and JWT_SECRET, and names both at once', () => {
    const problems = problemsOf({ APP_ENV: 'production' });
    expect(namesIn(problems)).toEqual(['DATABASE_URL', 'JWT_SECRET']);
    for (const problem of problems) expect(problem).toContain('required');
  });

  test('names what is missing together with what is wrong', () => {
    const problems = problemsOf({ APP_ENV: 'production', JWT_SECRET: 'short', PORT: 'x' });
    expect(namesIn(problems).toSorted()).toEqual(['DATABASE_URL', 'JWT_SECRET', 'PORT']);
  });

  test('has documentation off and passwords of 8 characters, unless told otherwise', () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({ docsEnabled: false, passwordMinLength: 8 });
    expect(loadConfig({ ...PRODUCTION, DOCS_ENABLED: 'true', PASSWORD_MIN_LENGTH: '1' })).toMatchObject({
      docsEnabled: true,
      passwordMinLength: 1,
    });
  });

  test('goes on serving for three seconds while it says that it stops, unless told otherwise', () => {
    expect(loadConfig(PRODUCTION).drainMs).toBe(3_000);
    expect(loadConfig({ ...PRODUCTION, DRAIN_MS: '0' }).drainMs).toBe(0);
  });

  test('alone asks for them: staging starts without', () => {
    expect(loadConfig({ APP_ENV: 'staging' })).toMatchObject({ isProduction: false, docsEnabled: true });
  });
});

describe('an empty variable counts as unset', () => {
  test('and has its default', () => {
    const names = ['APP_ENV', 'PORT', 'DATABASE_URL', 'JWT_SECRET', 'DOCS_PATH', 'DATA_DIR', 'TRUST_PROXY'];
    expect(loadConfig(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(loadConfig({}));
  });

  test('also where production needs it', () => {
    expect(namesIn(problemsOf({ APP_ENV: 'production', DATABASE_URL: '', JWT_SECRET: '' }))).toEqual([
      'DATABASE_URL',
      'JWT_SECRET',
    ]);
  });
});

test('batches are kept below DATA_DIR, unless they have a place of their own', () => {
  expect(loadConfig({ DATA_DIR: '/data' }).batchDir).toBe('/data/batches');
});

test.each(['postgres://host/db', 'postgresql://user:password@host:5432/db?sslmode=require'])(
  'DATABASE_URL may be %s',
  (DATABASE_URL) => expect(loadConfig({ DATABASE_URL }).databaseUrl).toBe(DATABASE_URL),
);

test('variables of other programs are ignored', () => {
  expect(loadConfig({ HOME: '/root', PGHOST: 'elsewhere', npm_config_x: '1' })).toEqual(loadConfig({}));
});

test('docs/configuration.md has every variable, with its default where that is a number', () => {
  const rows = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8').matchAll(
    /^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) +\| (.*?) +\|/gm,
  );
  const documented = [...rows].flatMap(([, names, defaults]) =>
    names!
      .split(', ')
      .map((name, index) => [name.replaceAll('`', ''), defaults!.split(', ')[index]!] as const),
  );
  const readByOthers = /^(OTEL|AWS)_/;
  expect(
    documented
      .map(([name]) => name)
      .filter((name) => !readByOthers.test(name))
      .toSorted(),
  ).toEqual(
    Object.keys(variables.shape)
      .filter((name) => !readByOthers.test(name))
      .toSorted(),
  );
  const defaults = variables.parse({}) as Record<string, unknown>;
  for (const [name, shown] of documented) {
    if (/^\d+$/.test(shown)) expect.soft(defaults[name], name).toBe(Number(shown));
  }
});

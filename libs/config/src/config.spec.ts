import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig, variables } from './config.js';
import type { TrustedProxies } from './trusted-proxies.js';

const SECRET = 'thirty-two bytes of a secret ...';
const DATABASE_URL = 'postgresql://db.example/foretell';
const PRODUCTION = { APP_ENV: 'production', DATABASE_URL, JWT_SECRET: SECRET };

/** The faults of this environment: one line for each variable. */
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

/**
 * Each variable with its setting: the default; a value, and what it becomes; a value that is
 * refused, if there is one.
 */
const VARIABLES: [
  name: string,
  setting: string,
  unset: unknown,
  given: string,
  set: unknown,
  bad?: string,
][] = [
  ['HOST', 'host', '127.0.0.1', '0.0.0.0', '0.0.0.0'],
  ['PORT', 'port', 8001, '0', 0, '70666'],
  ['WEB_CONCURRENCY', 'webConcurrency', 1, '4', 4],
  ['DRAIN_MS', 'drainMs', 0, '500', 500],
  ['TRUST_PROXY', 'trustedProxies', false, '10.0.0.0/8, loopback', ['10.0.0.0/8', 'loopback'], 'bad-network'],
  ['REQUEST_TIMEOUT_MS', 'requestTimeoutMs', 30_000, '300', 300, '99'],
  ['MAX_BODY_BYTES', 'maxBodyBytes', 1024 ** 2, '2048', 2048, '1023'],
  ['METRICS_PORT', 'metricsPort', undefined, '9464', 9464, '70666'],
  ['METRICS_HOST', 'metricsHost', '127.0.0.1', '::1', '::1'],
  ['LOG_LEVEL', 'logLevel', 'info', 'warn', 'warn', 'bad-level'],
  ['DATA_DIR', 'dataDir', join(process.cwd(), '.data'), '/var/lib/foretell', '/var/lib/foretell'],
  ['DATABASE_URL', 'databaseUrl', undefined, DATABASE_URL, DATABASE_URL, 'bad://user:hunter2@host/db'],
  ['DATABASE_POOL_SIZE', 'databasePoolSize', 10, '20', 20, 'bad-number'],
  ['JWT_SECRET', 'jwtSecret', undefined, SECRET, SECRET, 'bad-short-secret'],
  ['JWT_TTL_MINUTES', 'jwtTtlMinutes', 60, '5', 5, '-4711'],
  ['JWT_ISSUER', 'jwtIssuer', 'foretell', 'https://issuer.example', 'https://issuer.example'],
  ['JWT_AUDIENCE', 'jwtAudience', 'foretell', 'clients', 'clients'],
  ['BCRYPT_COST', 'bcryptCost', 12, '10', 10, '4711'],
  ['PASSWORD_MIN_LENGTH', 'passwordMinLength', 1, '12', 12, '73.5'],
  ['LOGIN_FAILURES_PER_MINUTE', 'loginFailuresPerMinute', 10, '3', 3, '4711.5'],
  ['REGISTRATION', 'registration', 'open', 'open', 'open', 'bad-word'],
  ['REGISTRATIONS_PER_MINUTE', 'registrationsPerMinute', 60, '6', 6, '-4711'],
  ['DOCS_PATH', 'docsPath', '/docs', '/api/documentation', '/api/documentation', 'bad path'],
  ['DOCS_ENABLED', 'docsEnabled', true, 'true', true, 'bad-flag'],
  ['MODEL_DIR', 'modelDir', join(process.cwd(), 'model-artifacts'), '/models', '/models'],
  ['DEFAULT_MODEL', 'defaultModel', 'heart-failure', 'iris', 'iris'],
  [
    'MODEL_STORE',
    'modelStore',
    undefined,
    's3://models/production',
    's3://models/production',
    'bad://bucket',
  ],
  ['MAX_ARTIFACT_BYTES', 'maxArtifactBytes', 256 * 1024 ** 2, '4096', 4096, '4.7'],
  ['PREDICTION_TIMEOUT_MS', 'predictionTimeoutMs', 30_000, '250', 250, '-4711'],
  ['MODEL_QUEUE_ROWS', 'modelQueueRows', 10_000, '9', 9, '-4711'],
  ['MODEL_CHECK_TIMEOUT_MS', 'modelCheckTimeoutMs', 60_000, '5000', 5_000],
  ['MODEL_MEMORY_BYTES', 'modelMemoryBytes', 2_147_483_648, '268435456', 268_435_456],
  ['AUDIT_MODE', 'auditMode', 'commit', 'async', 'async', 'bad-mode'],
  ['AUDIT_QUEUE_ROWS', 'auditQueueRows', 10_000, '7', 7, '-4711'],
  ['BATCH_DIR', 'batchDir', join(process.cwd(), '.data/batches'), '/var/lib/batches', '/var/lib/batches'],
  ['BATCH_WORKER', 'batchWorker', 'beside', 'separate', 'separate', 'bad-place'],
  ['MAX_BATCH_BYTES', 'maxBatchBytes', 1024 ** 3, '1234567', 1_234_567, '1023'],
  ['MAX_BATCH_UNPACKED_BYTES', 'maxBatchUnpackedBytes', 8 * 1024 ** 3, '2345678', 2_345_678],
  ['MAX_BATCH_BYTES_PER_USER', 'maxBatchBytesPerUser', 16 * 1024 ** 3, '3456789', 3_456_789],
  ['BATCH_DISK_RESERVE_BYTES', 'batchDiskReserveBytes', 1024 ** 3, '4567890', 4_567_890],
  ['MAX_BATCHES_PER_USER', 'maxBatchesPerUser', 10, '4', 4, '4711.5'],
  ['BATCH_TTL_HOURS', 'batchTtlHours', 72, '24', 24, '-4711'],
];

test('an empty environment has every default of the operating contract', () => {
  expect(loadConfig({})).toEqual({
    appEnv: 'local',
    isProduction: false,
    traces: undefined,
    modelStoreEndpoint: undefined,
    ...Object.fromEntries(VARIABLES.map(([, setting, unset]) => [setting, unset])),
  });
});

test('every variable reaches its setting', () => {
  const config = loadConfig({
    APP_ENV: 'production',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_SERVICE_NAME: 'predictions',
    AWS_ENDPOINT_URL: 'https://objects.example',
    AWS_ENDPOINT_URL_S3: 'https://s3.example',
    ...Object.fromEntries(VARIABLES.map(([name, , , given]) => [name, given])),
  });
  expect(config).toEqual({
    appEnv: 'production',
    isProduction: true,
    traces: { exporter: 'otlp', protocol: 'http/json', serviceName: 'predictions' },
    modelStoreEndpoint: 'https://s3.example',
    ...Object.fromEntries(VARIABLES.map(([, setting, , , set]) => [setting, set])),
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
])('traces are sent if requested: %j', (environment, exporter) => {
  expect(loadConfig(environment).traces?.exporter).toBe(exporter);
});

test('the configuration cannot be changed afterwards', () => {
  expect(loadConfig({})).toSatisfy(Object.isFrozen);
});

describe('bad variables', () => {
  const BAD: Record<string, string> = {
    APP_ENV: 'bad-production',
    OTEL_TRACES_EXPORTER: 'bad-exporter',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'bad-host',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'bad://host',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'bad-protocol',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'bad-protocol',
    OTEL_SDK_DISABLED: 'bad-flag',
    AWS_ENDPOINT_URL: 'bad://host',
    AWS_ENDPOINT_URL_S3: 'bad-host',
    ...Object.fromEntries(
      VARIABLES.flatMap(([name, , , , , bad]) => (bad === undefined ? [] : [[name, bad]])),
    ),
  };

  test('are all reported at once, each by its name', () => {
    expect(namesIn(problemsOf(BAD)).toSorted()).toEqual(Object.keys(BAD).toSorted());
  });

  test.each(Object.entries(BAD))(
    '%s alone is reported, with the expected form and without its value',
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

  test('may not be true, because anyone could then claim any address', () => {
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

  test('that is random is never refused, whatever its encoding', () => {
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
  test('is open, and closed in production, by default', () => {
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

  test('names missing and wrong variables together', () => {
    const problems = problemsOf({ APP_ENV: 'production', JWT_SECRET: 'short', PORT: 'x' });
    expect(namesIn(problems).toSorted()).toEqual(['DATABASE_URL', 'JWT_SECRET', 'PORT']);
  });

  test('has documentation off and passwords of 8 characters by default', () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({ docsEnabled: false, passwordMinLength: 8 });
    expect(loadConfig({ ...PRODUCTION, DOCS_ENABLED: 'true', PASSWORD_MIN_LENGTH: '1' })).toMatchObject({
      docsEnabled: true,
      passwordMinLength: 1,
    });
  });

  test('keeps serving for three seconds after it reports that it stops, by default', () => {
    expect(loadConfig(PRODUCTION).drainMs).toBe(3_000);
    expect(loadConfig({ ...PRODUCTION, DRAIN_MS: '0' }).drainMs).toBe(0);
  });

  test('is the only one that needs them: staging starts without', () => {
    expect(loadConfig({ APP_ENV: 'staging' })).toMatchObject({ isProduction: false, docsEnabled: true });
  });
});

describe('an empty variable counts as unset', () => {
  test('and has its default', () => {
    const names = ['APP_ENV', 'PORT', 'DATABASE_URL', 'JWT_SECRET', 'DOCS_PATH', 'DATA_DIR', 'TRUST_PROXY'];
    expect(loadConfig(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(loadConfig({}));
  });

  test('even if production needs it', () => {
    expect(namesIn(problemsOf({ APP_ENV: 'production', DATABASE_URL: '', JWT_SECRET: '' }))).toEqual([
      'DATABASE_URL',
      'JWT_SECRET',
    ]);
  });
});

test('batches are kept below DATA_DIR, unless they have a folder of their own', () => {
  expect(loadConfig({ DATA_DIR: '/data' }).batchDir).toBe('/data/batches');
});

test.each(['postgres://host/db', 'postgresql://user:password@host:5432/db?sslmode=require'])(
  'DATABASE_URL may be %s',
  (DATABASE_URL) => expect(loadConfig({ DATABASE_URL }).databaseUrl).toBe(DATABASE_URL),
);

test('variables of other programs are ignored', () => {
  expect(loadConfig({ HOME: '/root', PGHOST: 'elsewhere', npm_config_x: '1' })).toEqual(loadConfig({}));
});

test('docs/configuration.md has every variable, with its default if that is a number', () => {
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

import { join, resolve } from 'node:path';
import { z } from 'zod';
import { findWeakness } from './secrets.js';
import { trustedProxies } from './trusted-proxies.js';

const integer = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });

const otlpProtocol = z.enum(['http/protobuf', 'http/json']);

/** What may be set, and what holds where it is not. */
export const variables = z.object({
  APP_ENV: z.enum(['local', 'staging', 'production']).default('local'),
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(0, 65535).default(8001),
  WEB_CONCURRENCY: integer(1, 64).default(1),
  DRAIN_MS: integer(0, 600_000).optional(),
  TRUST_PROXY: trustedProxies.default(false),
  REQUEST_TIMEOUT_MS: integer(100, 600_000).default(30_000),
  MAX_BODY_BYTES: integer(1024, 1024 ** 3).default(1024 ** 2),
  /** Unset: /metrics is on PORT, for admins. */
  METRICS_PORT: integer(0, 65535).optional(),
  METRICS_HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  // Traces are sent where one of these asks for them; every other OTEL_ variable is read by OpenTelemetry itself.
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'console', 'none']).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: otlpProtocol.optional(),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: otlpProtocol.optional(),
  OTEL_SERVICE_NAME: z.string().default('foretell'),
  OTEL_SDK_DISABLED: flag.default(false),
  DATA_DIR: z.string().default('.data'),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must be a postgresql:// URL')
    .optional(),
  DATABASE_POOL_SIZE: integer(2, 1000).default(10),
  JWT_SECRET: z
    .string()
    .superRefine((secret, context) => {
      const weakness = findWeakness(secret);
      if (weakness) context.addIssue(weakness);
    })
    .optional(),
  JWT_TTL_MINUTES: integer(1, 60 * 24 * 366).default(60),
  JWT_ISSUER: z.string().default('foretell'),
  JWT_AUDIENCE: z.string().default('foretell'),
  BCRYPT_COST: integer(4, 15).default(12),
  PASSWORD_MIN_LENGTH: integer(1, 72).optional(),
  LOGIN_FAILURES_PER_MINUTE: integer(1, 10_000).default(10),
  /** Unset: closed in production. */
  REGISTRATION: z.enum(['open', 'closed']).optional(),
  REGISTRATIONS_PER_MINUTE: integer(1, 10_000).default(60),
  DOCS_PATH: z
    .string()
    .regex(/^(\/[\w.-]+)+$/, 'must be a path such as /docs')
    .default('/docs'),
  DOCS_ENABLED: flag.optional(),
  MODEL_DIR: z.string().default('model-artifacts'),
  DEFAULT_MODEL: z.string().default('heart-failure'),
  /** Where artifacts are kept for replicas that share no disk; unset: in MODEL_DIR. */
  MODEL_STORE: z
    .string()
    .regex(/^s3:\/\/[\w.-]+(\/.*)?$/, 'must be s3://<bucket>/<prefix>')
    .optional(),
  // Every other AWS_ variable is read by the client itself; these say that the bucket is not at AWS.
  AWS_ENDPOINT_URL_S3: httpUrl.optional(),
  AWS_ENDPOINT_URL: httpUrl.optional(),
  MAX_ARTIFACT_BYTES: integer(1024, 16 * 1024 ** 3).default(256 * 1024 ** 2),
  PREDICTION_TIMEOUT_MS: integer(1, 3_600_000).default(30_000),
  MODEL_QUEUE_ROWS: integer(1, 1_000_000).default(10_000),
  MODEL_CHECK_TIMEOUT_MS: integer(1_000, 3_600_000).default(60_000),
  MODEL_MEMORY_BYTES: integer(256 * 1024 ** 2, 1024 ** 4).default(2 * 1024 ** 3),
  AUDIT_MODE: z.enum(['commit', 'async']).default('commit'),
  AUDIT_QUEUE_ROWS: integer(1, 1_000_000).default(10_000),
  RECORD_RETENTION_DAYS: integer(1, 36_500).optional(),
  /** Shared by the API and the workers; unset: below DATA_DIR. */
  BATCH_DIR: z.string().optional(),
  BATCH_WORKER: z.enum(['beside', 'separate']).default('beside'),
  MAX_BATCH_BYTES: integer(1024, 1024 ** 4).default(1024 ** 3),
  /** Unset: eight times MAX_BATCH_BYTES. */
  MAX_BATCH_UNPACKED_BYTES: integer(1024, 1024 ** 5).optional(),
  /** Unset: twice MAX_BATCH_UNPACKED_BYTES. */
  MAX_BATCH_BYTES_PER_USER: integer(1024, 1024 ** 5).optional(),
  BATCH_DISK_RESERVE_BYTES: integer(0, 1024 ** 5).default(1024 ** 3),
  MAX_BATCHES_PER_USER: integer(1, 10_000).default(10),
  BATCH_TTL_HOURS: integer(1, 24 * 366).default(72),
});

const required = { production: ['DATABASE_URL', 'JWT_SECRET'] as const };

/** Every variable that is missing or wrong, so that an operator mends them in one go. Values are never shown. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The environment is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** @throws ConfigError naming every bad variable at once. An empty variable counts as unset. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env) {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = variables.safeParse(set);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  if (set.APP_ENV === 'production') {
    for (const name of required.production) {
      if (set[name] === undefined) problems.push(`${name}: required when APP_ENV is production`);
    }
  }
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const value = parsed.data;
  const isProduction = value.APP_ENV === 'production';
  const maxBatchUnpackedBytes = value.MAX_BATCH_UNPACKED_BYTES ?? 8 * value.MAX_BATCH_BYTES;
  return Object.freeze({
    appEnv: value.APP_ENV,
    isProduction,
    host: value.HOST,
    port: value.PORT,
    /** How many processes serve the port. */
    webConcurrency: value.WEB_CONCURRENCY,
    /** How long a process that was told to stop goes on serving while `/readyz` says that it stops. */
    drainMs: value.DRAIN_MS ?? (isProduction ? 3_000 : 0),
    /** The proxies that are believed when they say where a call came from. */
    trustedProxies: value.TRUST_PROXY,
    /** How long a request may take to arrive; for a streamed body, how long nothing may come. */
    requestTimeoutMs: value.REQUEST_TIMEOUT_MS,
    maxBodyBytes: value.MAX_BODY_BYTES,
    metricsPort: value.METRICS_PORT,
    metricsHost: value.METRICS_HOST,
    logLevel: value.LOG_LEVEL,
    /** Undefined: nobody asks for traces. */
    traces: tracesIn(value),
    dataDir: resolve(value.DATA_DIR),
    /** Undefined: an embedded PostgreSQL under `dataDir`. */
    databaseUrl: value.DATABASE_URL,
    databasePoolSize: value.DATABASE_POOL_SIZE,
    /** Undefined: generated once into `dataDir`. */
    jwtSecret: value.JWT_SECRET,
    jwtTtlMinutes: value.JWT_TTL_MINUTES,
    jwtIssuer: value.JWT_ISSUER,
    jwtAudience: value.JWT_AUDIENCE,
    bcryptCost: value.BCRYPT_COST,
    passwordMinLength: value.PASSWORD_MIN_LENGTH ?? (isProduction ? 8 : 1),
    loginFailuresPerMinute: value.LOGIN_FAILURES_PER_MINUTE,
    /** Whether strangers may create an account for themselves. */
    registration: value.REGISTRATION ?? (isProduction ? ('closed' as const) : ('open' as const)),
    registrationsPerMinute: value.REGISTRATIONS_PER_MINUTE,
    docsPath: value.DOCS_PATH,
    docsEnabled: value.DOCS_ENABLED ?? !isProduction,
    modelDir: resolve(value.MODEL_DIR),
    defaultModel: value.DEFAULT_MODEL,
    modelStore: value.MODEL_STORE,
    modelStoreEndpoint: value.AWS_ENDPOINT_URL_S3 ?? value.AWS_ENDPOINT_URL,
    maxArtifactBytes: value.MAX_ARTIFACT_BYTES,
    predictionTimeoutMs: value.PREDICTION_TIMEOUT_MS,
    modelQueueRows: value.MODEL_QUEUE_ROWS,
    /** For reading, loading and checking a model. */
    modelCheckTimeoutMs: value.MODEL_CHECK_TIMEOUT_MS,
    /** For the process of one model. */
    modelMemoryBytes: value.MODEL_MEMORY_BYTES,
    auditMode: value.AUDIT_MODE,
    auditQueueRows: value.AUDIT_QUEUE_ROWS,
    /** Undefined: the record is kept forever. */
    recordRetentionDays: value.RECORD_RETENTION_DAYS,
    batchDir: resolve(value.BATCH_DIR ?? join(value.DATA_DIR, 'batches')),
    /** Whether the API starts a worker beside itself, or workers are run separately. */
    batchWorker: value.BATCH_WORKER,
    maxBatchBytes: value.MAX_BATCH_BYTES,
    /** What a file may unpack to, and what its output may have. */
    maxBatchUnpackedBytes,
    /** What all files and outputs of one user may have together, for as long as they are kept. */
    maxBatchBytesPerUser: value.MAX_BATCH_BYTES_PER_USER ?? 2 * maxBatchUnpackedBytes,
    /** What files and outputs leave free on their disk for its other users. */
    batchDiskReserveBytes: value.BATCH_DISK_RESERVE_BYTES,
    maxBatchesPerUser: value.MAX_BATCHES_PER_USER,
    batchTtlHours: value.BATCH_TTL_HOURS,
  });
}

function tracesIn(value: z.infer<typeof variables>) {
  const isAsked = value.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? value.OTEL_EXPORTER_OTLP_ENDPOINT;
  const exporter = value.OTEL_TRACES_EXPORTER ?? (isAsked === undefined ? 'none' : 'otlp');
  if (exporter === 'none' || value.OTEL_SDK_DISABLED) return undefined;
  const protocol = value.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? value.OTEL_EXPORTER_OTLP_PROTOCOL;
  return Object.freeze({
    exporter,
    protocol: protocol ?? 'http/protobuf',
    serviceName: value.OTEL_SERVICE_NAME,
  });
}

export type Config = ReturnType<typeof loadConfig>;

/** Injection token of the frozen `Config`. */
export const CONFIG = Symbol('Config');

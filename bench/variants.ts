import { fileURLToPath } from 'node:url';
import { startApi } from '../test/support/api-process.js';
import { call } from '../test/support/client.js';
import { PREDICT } from './load.js';
import { createToken, PEERS, startPeer, type Peer, type PeerContext, type PeerName } from './peers/peers.js';

/** In the order of the table. */
export const VARIANTS = {
  recorded: 'Foretell, recorded',
  'two-processes': 'Foretell, recorded, WEB_CONCURRENCY=2',
  async: 'Foretell, AUDIT_MODE=async',
  unrecorded: 'Foretell, unrecorded',
  'one-commit-each': 'Nest on Express, one commit each',
  tutorial: "the tutorial's design",
  mlflow: 'MLflow models serve',
  mlserver: 'MLServer',
  bentoml: 'BentoML',
  litserve: 'LitServe',
  smallest: 'the smallest program that records',
  fastify: 'bare Fastify',
} as const;
export type VariantName = keyof typeof VARIANTS;

/** These neither authenticate nor record. */
export const UNRECORDING_PEERS = ['mlflow', 'mlserver', 'bentoml', 'litserve'] as const;

export const TOKENS = {
  JWT_SECRET: 'a secret for the bench alone, of 32 bytes or more',
  JWT_TTL_MINUTES: '600',
};

/** The probability of `PATIENT`, as computed by XGBoost. */
const GOLDEN = 0.5124506;
const TOLERANCE = 1e-6;

export interface Variant extends Peer {
  readonly name: VariantName;
}

export interface VariantContext extends PeerContext {
  readonly databaseUrl: string;
  /** The token of its only user. */
  readonly token: string;
}

/** Starts it and sends one request. @throws if it does not start or its answer differs from the others */
export async function startVariant(name: VariantName, context: VariantContext): Promise<Variant> {
  const started = isPeer(name) ? await startPeer(name, context) : await startOurs(name, context);
  try {
    await checkAnswer(started);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return { name, ...started };
}

const isPeer = (name: VariantName): name is PeerName => (PEERS as readonly string[]).includes(name);

/** A user with a token that outlasts the bench. */
export async function createBenchUser(databaseUrl: string): Promise<string> {
  const api = await startApi({ DATABASE_URL: databaseUrl, ...TOKENS });
  try {
    return await createToken(api.url);
  } finally {
    await api.stop();
  }
}

async function startOurs(name: VariantName, { databaseUrl, token }: VariantContext): Promise<Peer> {
  const environment = {
    DATABASE_URL: databaseUrl,
    ...TOKENS,
    ...(name === 'async' && { AUDIT_MODE: 'async' }),
    ...(name === 'two-processes' && { WEB_CONCURRENCY: '2' }),
  };
  const scripts: Partial<Record<VariantName, string>> = {
    unrecorded: 'unrecorded.js',
    'one-commit-each': 'one-commit-each.js',
    smallest: 'smallest.js',
    fastify: 'bare-fastify.js',
  };
  const script = scripts[name];
  const api = await startApi(
    environment,
    script === undefined ? {} : { script: fileURLToPath(new URL(script, import.meta.url)) },
  );
  return {
    target: { url: api.url, token, ...PREDICT },
    pid: api.process.pid!,
    stop: api.stop,
    probability: ({ yhat_prob }: { yhat_prob: string }) => yhat_prob,
  };
}

async function checkAnswer({ target, probability }: Peer): Promise<void> {
  const token = target.token as string;
  const { status, text } = await call(target, 'POST', target.path, { body: target.body, token });
  if (status !== 200) throw new Error(`answered with ${status}: ${text.slice(0, 200)}`);
  const said = Number(probability(JSON.parse(text) as never));
  if (!(Math.abs(said - GOLDEN) < TOLERANCE))
    throw new Error(`says ${said} where ${GOLDEN} is right: ${text}`);
}

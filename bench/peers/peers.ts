/**
 * The usual alternatives, each in its usual production form, with the fastest of the settings tried on two
 * cores (docs/benchmarks.md). All of them answer the same patient with the same probability.
 */
import { availableParallelism } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { call, PATIENT } from '../../test/support/client.js';
import { freePort } from '../../test/support/free-port.js';
import type { LoadTarget } from '../load.js';
import { installMlflow, MLFLOW_REQUIREMENTS } from '../mlflow.js';
import { measuredRun } from '../measured-run.js';
import { installPython } from '../python-environment.js';
import { startPythonServer, type PythonServer } from './python-server.js';

export const PEERS = ['tutorial', 'mlflow', 'mlserver', 'bentoml', 'litserve'] as const;
export type PeerName = (typeof PEERS)[number];

/** A started server: the request, and the place of the probability in its answer. */
export interface Peer {
  readonly target: LoadTarget;
  readonly pid: number;
  probability(answer: never): unknown;
  stop(): Promise<unknown>;
}

export interface PeerContext {
  /** A folder for their files; removed afterwards. */
  readonly folder: string;
  /** An empty database of its own. */
  createDatabase(name: string): Promise<string>;
}

const CORES = availableParallelism();
const HOST = '127.0.0.1';
const MODEL = resolvePath('model-artifacts/heart-failure/1/model.onnx');
const FEATURES = Object.values(PATIENT);
const folderOf = (name: PeerName) => resolvePath('bench/peers', name);

/** @returns the folder of its commands */
export function installPeer(name: PeerName): Promise<string> {
  return installPython(
    name,
    name === 'mlflow' ? MLFLOW_REQUIREMENTS : `bench/peers/${name}/requirements.txt`,
  );
}

export async function startPeer(name: PeerName, context: PeerContext): Promise<Peer> {
  const bin = await installPeer(name);
  const { server, token, path, body, probability } = await START[name](bin, context);
  return {
    ...server,
    target: { url: server.url, path, token, body: typeof body === 'string' ? body : JSON.stringify(body) },
    probability,
  };
}

interface Started extends Omit<LoadTarget, 'url' | 'body'> {
  server: PythonServer;
  body: object | string;
  probability: Peer['probability'];
}

const START: Record<PeerName, (bin: string, context: PeerContext) => Promise<Started>> = {
  async tutorial(bin, { createDatabase }) {
    const environment = {
      DATABASE_URL: (await createDatabase('tutorial')).replace(/^postgresql:/, 'postgresql+psycopg2:'),
      JWT_SECRET: 'a secret for the bench alone, of 32 bytes or more',
      // XGBoost's threads, one per core in each of forty threads in each worker, would only wait for each other.
      OMP_NUM_THREADS: '1',
    };
    const cwd = folderOf('tutorial');
    await measuredRun(join(bin, 'python'), ['app.py'], { cwd, env: environment });
    const workers = ['--workers', '2', '--worker-class', 'uvicorn_worker.UvicornWorker'];
    const server = await startPythonServer((port) => ({
      command: join(bin, 'gunicorn'),
      args: ['app:app', ...workers, '--bind', `${HOST}:${port}`],
      cwd,
      environment,
      readyPath: '/openapi.json',
    }));
    const token = await createToken(server.url).catch(async (error) => {
      await server.stop();
      throw error;
    });
    return {
      server,
      token,
      path: '/predict',
      body: PATIENT,
      probability: ({ yhat_prob }: { yhat_prob: string }) => yhat_prob,
    };
  },

  async mlflow(_, { folder }) {
    const mlflow = await installMlflow(folder);
    const model = ['-m', mlflow.modelFolder('heart-failure'), '--env-manager', 'local'];
    const server = await startPythonServer((port) => ({
      command: join(mlflow.bin, 'mlflow'),
      args: ['models', 'serve', ...model, '--host', HOST, '--port', port, '--workers', CORES],
      cwd: folder,
      // It starts uvicorn by its name.
      environment: { ...mlflow.environment, PATH: `${mlflow.bin}:${process.env.PATH}` },
      readyPath: '/ping',
    }));
    // Its schema says double, and its JSON parser reads 25 as an integer; the split form is its fastest.
    const data = FEATURES.map((value) => (Number.isInteger(value) ? `${value}.0` : String(value)));
    const body = `{"dataframe_split":{"columns":${JSON.stringify(Object.keys(PATIENT))},"data":[[${data.join(',')}]]}}`;
    return {
      server,
      path: '/invocations',
      body,
      probability: ({ predictions: [first] }: { predictions: [{ probability: number }] }) =>
        first.probability,
    };
  },

  async mlserver(bin, { folder }) {
    const [grpc, metrics] = [await freePort(), await freePort()];
    const server = await startPythonServer((http) => ({
      command: join(bin, 'mlserver'),
      args: ['start', '.'],
      cwd: folderOf('mlserver'),
      environment: {
        MLSERVER_HTTP_PORT: String(http),
        MLSERVER_GRPC_PORT: String(grpc),
        MLSERVER_METRICS_PORT: String(metrics),
        MLSERVER_METRICS_DIR: join(folder, 'mlserver-metrics'),
        MLSERVER_MODEL_URI: MODEL,
      },
      readyPath: '/v2/models/heart-failure/ready',
    }));
    const input = { name: 'features', shape: [1, FEATURES.length], datatype: 'FP32', data: FEATURES };
    return {
      server,
      path: '/v2/models/heart-failure/infer',
      body: { inputs: [input] },
      probability: ({ outputs: [first] }: { outputs: [{ data: number[] }] }) => first.data[1],
    };
  },

  async bentoml(bin, { folder }) {
    const server = await startPythonServer((port) => ({
      command: join(bin, 'bentoml'),
      args: ['serve', 'service:HeartFailure', '--host', HOST, '--port', port],
      cwd: folderOf('bentoml'),
      environment: { MODEL, BENTOML_HOME: join(folder, 'bentoml'), BENTOML_DO_NOT_TRACK: 'True' },
      readyPath: '/readyz',
    }));
    const probability = ([first]: number[]) => first;
    return { server, path: '/predict', body: { features: [FEATURES] }, probability };
  },

  async litserve(bin) {
    const server = await startPythonServer((port) => ({
      command: join(bin, 'python'),
      args: ['server.py', MODEL, port],
      cwd: folderOf('litserve'),
      readyPath: '/health',
    }));
    const probability = ({ probability }: { probability: number }) => probability;
    return { server, path: '/predict', body: { features: FEATURES }, probability };
  },
};

/** The token of a user that it registers: the tutorial's routes are those of the service. */
export async function createToken(url: string): Promise<string> {
  const body = { username: 'bench', password: 'bench', email: 'bench@example.org' };
  await call({ url }, 'POST', '/register-user', { body });
  const { status, text, body: answer } = await call({ url }, 'POST', '/token', { body });
  if (status !== 200) throw new Error(`POST /token was answered with ${status}: ${text}`);
  return answer.token as string;
}

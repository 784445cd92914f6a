import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';

export interface QueryResult {
  /** A number for each series that there is. */
  values: number[];
  error?: string;
}

export interface PrometheusServer {
  query(expression: string): Promise<QueryResult>;
  /** What its HTTP API answers under this path. */
  // oxlint-disable-next-line typescript/no-explicit-any
  get(path: string): Promise<any>;
  close(): Promise<void>;
}

/** Debian's; the tests install nothing themselves. @throws Error that says what is missing */
export function requirePrometheus(): void {
  for (const program of ['promtool', 'prometheus']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      throw new Error(`${program} is missing: apt-get install --no-install-recommends prometheus`);
    }
  }
}

/** A real Prometheus with this configuration file, and its data in a folder that goes with it. */
export async function startPrometheus(configFile: string): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 'foretell-prometheus-'));
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let output = '';
  child.stderr.on('data', (chunk) => (output += chunk));
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`Prometheus ended with code ${child.exitCode}:\n${output}`);
    await sleep(50);
  }
  // oxlint-disable-next-line typescript/no-explicit-any
  const get = async (path: string): Promise<any> => (await fetch(url + path)).json();
  return {
    get,
    query: async (expression) => {
      const { status, error, data } = await get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      if (status !== 'success') return { values: [], error };
      return { values: data.result.map(({ value }: { value: [number, string] }) => Number(value[1])) };
    },
    close: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

import { execFileSync } from 'node:child_process';
import { createFolder } from './folders.js';
import { startProcess } from './foretell-process.js';
import { freePort } from './free-port.js';
import { untilAnswering } from './until-answering.js';

interface QueryResult {
  /** A number for each existing series. */
  values: number[];
  error?: string;
}

export type PrometheusServer = Awaited<ReturnType<typeof startPrometheus>>;

/** From Debian's package; the tests install nothing themselves. @throws Error that names what is missing */
export function requirePrometheus(): void {
  for (const program of ['promtool', 'prometheus']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      throw new Error(`${program} is missing: apt-get install --no-install-recommends prometheus`);
    }
  }
}

/** A real Prometheus with this configuration file, and its data in a folder that is removed with it. */
export async function startPrometheus(configFile: string) {
  const port = await freePort();
  const server = startProcess('prometheus', [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${createFolder()}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ]);
  const url = `http://127.0.0.1:${port}`;
  await untilAnswering(`${url}/-/ready`, server);
  /** The answer of its HTTP API at this path. */
  // oxlint-disable-next-line typescript/no-explicit-any
  const get = async (path: string): Promise<any> => (await fetch(url + path)).json();
  return {
    get,
    query: async (expression: string): Promise<QueryResult> => {
      const { status, error, data } = await get(`/api/v1/query?query=${encodeURIComponent(expression)}`);
      if (status !== 'success') return { values: [], error };
      return { values: data.result.map(({ value }: { value: [number, string] }) => Number(value[1])) };
    },
    stop: () => server.stop(),
  };
}

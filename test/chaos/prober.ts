import { request, Agent } from 'node:http';
import { parentPort, Worker, workerData, isMainThread } from 'node:worker_threads';

export interface Probes {
  /** The longest request, in milliseconds. */
  slowest: number;
  /** The longest except the slowest percent. */
  p99: number;
  count: number;
  /** How many were not 200. */
  refused: number;
}

/** Requests a path again and again, from a thread of its own, until it is stopped. */
export function probe(url: string, everyMs = 100): () => Promise<Probes> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { probed: url, everyMs } });
  const result = new Promise<Probes>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  result.catch(() => undefined);
  return () => {
    worker.postMessage('stop');
    return result;
  };
}

if (!isMainThread && workerData?.probed) {
  const { probed, everyMs } = workerData as { probed: string; everyMs: number };
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let refused = 0;
  const ask = () => {
    const started = performance.now();
    const end = (isFine: boolean) => {
      times.push(performance.now() - started);
      if (!isFine) refused++;
    };
    request(probed, { agent }, (response) => {
      response.resume().once('end', () => end(response.statusCode === 200));
    })
      .once('error', () => end(false))
      .end();
  };
  const asking = setInterval(ask, everyMs);
  parentPort!.once('message', async () => {
    clearInterval(asking);
    // The last one may be in flight.
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    agent.destroy();
    times.sort((a, b) => a - b);
    const p99 = times[Math.floor(times.length * 0.99)] ?? NaN;
    parentPort!.postMessage({ slowest: times.at(-1) ?? NaN, p99, count: times.length, refused });
  });
}

/** In a thread of its own, so that what the load generator does is not taken for the service's: how long /livez takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const EVERY_MS = 20;

const { url } = workerData as { url: string };
let isEnded = false;
parentPort!.once('message', () => (isEnded = true));
const latencies: number[] = [];
let failures = 0;
while (!isEnded) {
  const sentAt = performance.now();
  const answer = await fetch(`${url}/livez`).catch(() => undefined);
  await answer?.arrayBuffer();
  if (answer?.status !== 200) failures++;
  latencies.push(performance.now() - sentAt);
  await sleep(EVERY_MS);
}
parentPort!.postMessage({ latencies, failures });

/** The thread that ends the process of a model when it holds too much memory, or when nobody is left to answer to. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const EVERY_MS = 50;
const STANDARD_ERROR = 2;

const { maxMemoryBytes, complaint, parent } = workerData as {
  maxMemoryBytes: number;
  complaint: string;
  parent: number;
};

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  if (process.memoryUsage.rss() <= maxMemoryBytes) return;
  writeSync(STANDARD_ERROR, complaint);
  process.kill(process.pid, 'SIGKILL');
}, EVERY_MS);

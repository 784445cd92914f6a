/** The thread that ends a model's process when it holds too much memory, or when no one is left to answer. */
import { writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';

const EVERY_MS = 50;
/** A check that is not done by then is slow, and may use up its time limit: others come first from now on. */
const ORDINARY_PRIORITY_MS = 3_000;
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

setTimeout(() => {
  try {
    // By its number, which on Linux is that of the thread that runs the model.
    setPriority(process.pid, 10);
  } catch {
    return;
  }
}, ORDINARY_PRIORITY_MS);

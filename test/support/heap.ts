import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** After a garbage collection. */
export function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { secondsSince, TICKS_PER_SECOND, treeSeconds } from '../test/support/process-tree.js';

/** Processors in use on average, between two samples: 1 is one core all the time. */
export type Usage<Names extends string> = Record<Names, number> & { machine: number };

/** Processor time of process trees and of the whole machine, from this call until the returned function is called. */
export function measureProcessorTime<Names extends string>(trees: Record<Names, number>): () => Usage<Names> {
  const startedAt = performance.now();
  const before = Object.entries<number>(trees).map(([name, pid]) => ({ name, pid, used: treeSeconds(pid) }));
  const busyBefore = busySeconds();
  return () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const usage = before.map(({ name, pid, used }) => [name, secondsSince(used, pid) / seconds]);
    return { ...Object.fromEntries(usage), machine: (busySeconds() - busyBefore) / seconds } as Usage<Names>;
  };
}

export const CORES = cpus().length;

/** All processors together: everything but idle and waiting for disks. */
function busySeconds(): number {
  const [user, nice, system, , , interrupts, softInterrupts] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + interrupts! + softInterrupts!) / TICKS_PER_SECOND;
}

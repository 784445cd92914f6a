import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Linux counts in these, whatever the machine. */
const TICKS_PER_SECOND = 100;

/** Which processes belong together: a process with all its descendants. */
export type Trees = Record<string, number>;

/** Processors in use on average, between two looks: 1 is one core all the time. */
export type Usage<Names extends string> = Record<Names, number> & { machine: number };

interface Stat {
  parent: number;
  ticks: number;
}

/** Processor time from /proc, of process trees and of the whole machine, from this call to that of what it returns. */
export function measureProcessorTime<T extends Trees>(trees: T): () => Usage<keyof T & string> {
  const startedAt = performance.now();
  const [before, busyBefore] = [stats(), busyTicks()];
  return () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const after = stats();
    const perSecond = (ticks: number) => ticks / TICKS_PER_SECOND / seconds;
    const usage = Object.entries(trees).map(([name, root]) => {
      const ticks = [...after].map(([pid, stat]) =>
        descendsFrom(pid, root, after) ? stat.ticks - (before.get(pid)?.ticks ?? 0) : 0,
      );
      return [name, perSecond(ticks.reduce((sum, each) => sum + each, 0))];
    });
    return {
      ...(Object.fromEntries(usage) as Record<keyof T & string, number>),
      machine: perSecond(busyTicks() - busyBefore),
    };
  };
}

export const CORES = cpus().length;

function stats(): Map<number, Stat> {
  const found = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // After the command, which may hold anything: state, parent, …, and as 12th and 13th user and system time.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      found.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

function descendsFrom(pid: number, root: number, all: Map<number, Stat>): boolean {
  for (let each: number | undefined = pid; each; each = all.get(each)?.parent) if (each === root) return true;
  return false;
}

/** All processors together: everything but idle and waiting for disks. */
function busyTicks(): number {
  const [user, nice, system, , , interrupts, softInterrupts] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user! + nice! + system! + interrupts! + softInterrupts!;
}

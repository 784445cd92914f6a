import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** A process and all that it started, as /proc has them; a process ends between two readings as it likes. */
export function processTree(pid: number): number[] {
  const children = threads(pid).flatMap((thread) =>
    readProc(`${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}

/** Processor time of one process so far, in seconds; undefined when it is gone. */
export function processorSeconds(pid: number): number | undefined {
  const fields = readProc(`${pid}/stat`).split(') ').at(-1)!.split(' ');
  return fields.length > 12 ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND : undefined;
}

/** The processor time so far of a process and of all that it has started and still run. */
export function treeSeconds(pid: number): Map<number, number> {
  return new Map(processTree(pid).map((each) => [each, processorSeconds(each) ?? 0]));
}

/** What they have used since; those that have ended meanwhile are not in it. */
export function secondsSince(before: ReadonlyMap<number, number>, pid: number): number {
  return [...treeSeconds(pid)].reduce((sum, [each, now]) => sum + now - (before.get(each) ?? 0), 0);
}

export function parentOf(pid: number): number {
  return Number(readProc(`${pid}/stat`).split(') ').at(-1)!.split(' ')[1]);
}

/** Empty when the process is gone. */
export function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return '';
  }
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

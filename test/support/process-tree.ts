/** Linux's /proc on a process and all that it started; a process may end between two readings. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second (`getconf CLK_TCK`). */
export const TICKS_PER_SECOND = 100;

export function processTree(pid: number): number[] {
  const children = threads(pid).flatMap((thread) =>
    readProc(`${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}

/** Processor time so far of a process, or of its thread `<pid>/task/<thread>`, in seconds; undefined when it is gone. */
export function processorSeconds(task: number | string): number | undefined {
  const fields = statOf(task);
  return fields.length > 12 ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND : undefined;
}

/** The processor time so far of a process and of all its descendants that are still running. */
export function treeSeconds(pid: number): Map<number, number> {
  return new Map(processTree(pid).map((each) => [each, processorSeconds(each) ?? 0]));
}

/** The time used since then, without processes that have ended in the meantime. */
export function secondsSince(before: ReadonlyMap<number, number>, pid: number): number {
  return [...treeSeconds(pid)].reduce((sum, [each, now]) => sum + now - (before.get(each) ?? 0), 0);
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)[1]);
}

/** The current or peak memory of a process, in megabytes; 0 when it is gone. */
export function memoryMb(pid: number, figure: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const kilobytes = new RegExp(`^${figure}:\\s+(\\d+) kB`, 'm').exec(readProc(`${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

/** After the command, which may hold anything: state, parent, …, and as 12th and 13th user and system time. */
function statOf(task: number | string): string[] {
  return readProc(`${task}/stat`).split(') ').at(-1)!.split(' ');
}

/** Empty when the process is gone. */
function readProc(path: string): string {
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

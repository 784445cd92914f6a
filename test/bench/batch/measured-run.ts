import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const SAMPLE_EVERY_MS = 50;
/** Linux counts processor time in hundredths of a second (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const KEPT_OUTPUT = 4_000;

export interface Run {
  /** From the start of the command to its end, in seconds. */
  seconds: number;
  /** Processor time of the process and all it started, in seconds, up to the last sample. */
  cpuSeconds: number;
  /** The most that the process and all it started held in memory at once, in megabytes. */
  peakMb: number;
  stdout: string;
}

/** Runs a command to its end and measures it from outside. @throws when it fails */
export async function measuredRun(
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Run> {
  const started = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout = `${stdout}${chunk}`.slice(-KEPT_OUTPUT)));
  child.stderr.on('data', (chunk) => (stderr = `${stderr}${chunk}`.slice(-KEPT_OUTPUT)));
  const usage = new TreeUsage(child.pid!);
  const timer = setInterval(() => usage.sample(), SAMPLE_EVERY_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearInterval(timer));
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${stderr}`);
  return { seconds, cpuSeconds: usage.cpuSeconds(), peakMb: usage.peakKb / 1024, stdout };
}

/** What /proc says of a process and all that it started. A process ends between two readings as it likes. */
class TreeUsage {
  peakKb = 0;
  private readonly ticks = new Map<number, number>();

  constructor(private readonly root: number) {}

  sample(): void {
    let together = 0;
    for (const pid of descendants(this.root)) {
      const status = read(`/proc/${pid}/status`);
      together += kilobytes(status, 'VmRSS');
      // The kernel's own high-water mark of one process, which no sample can miss.
      this.peakKb = Math.max(this.peakKb, kilobytes(status, 'VmHWM'));
      const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)!.split(' ');
      if (fields.length > 12) this.ticks.set(pid, Number(fields[11]) + Number(fields[12]));
    }
    this.peakKb = Math.max(this.peakKb, together);
  }

  cpuSeconds(): number {
    return [...this.ticks.values()].reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
  }
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
}

function descendants(pid: number): number[] {
  const children = threads(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(descendants)];
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { memoryMb, processorSeconds, processTree } from '../test/support/process-tree.js';

const SAMPLE_EVERY_MS = 50;
const KEPT_OUTPUT = 4_000;

export interface Run {
  /** From the start of the command to its end, in seconds. */
  seconds: number;
  /** Processor time of the process and all it started, in seconds, up to the last sample. */
  cpuSeconds: number;
  /** The peak memory of the process and all it started together, in megabytes. */
  peakMb: number;
  stdout: string;
}

/** Starts a command with only the environment that it needs, and keeps the end of its output. */
export function spawnBare(
  command: string,
  args: readonly string[],
  { env, ...options }: { cwd?: string; env?: Record<string, string>; detached?: boolean },
) {
  const child = spawn(command, args, {
    ...options,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: tmpdir(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '', all: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (chunk) => {
      said[stream] = `${said[stream]}${chunk}`.slice(-KEPT_OUTPUT);
      said.all = `${said.all}${chunk}`.slice(-KEPT_OUTPUT);
    });
  return { child, said };
}

/** Runs a command to its end and measures it from outside. @throws when it fails */
export async function measuredRun(
  command: string,
  args: readonly string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Run> {
  const started = performance.now();
  const { child, said } = spawnBare(command, args, { cwd, env });
  const usage = new TreeUsage(child.pid!);
  const timer = setInterval(() => usage.sample(), SAMPLE_EVERY_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => clearInterval(timer));
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with code ${code}:\n${said.stderr}`);
  return { seconds, cpuSeconds: usage.cpuSeconds(), peakMb: usage.peakMb, stdout: said.stdout };
}

/** The /proc data of a process and all that it started. */
class TreeUsage {
  peakMb = 0;
  private readonly seconds = new Map<number, number>();

  constructor(private readonly root: number) {}

  sample(): void {
    let together = 0;
    for (const pid of processTree(this.root)) {
      together += memoryMb(pid);
      // The kernel's own high-water mark of one process, which sampling cannot miss.
      this.peakMb = Math.max(this.peakMb, memoryMb(pid, 'VmHWM'));
      const seconds = processorSeconds(pid);
      if (seconds !== undefined) this.seconds.set(pid, seconds);
    }
    this.peakMb = Math.max(this.peakMb, together);
  }

  cpuSeconds(): number {
    return [...this.seconds.values()].reduce((sum, seconds) => sum + seconds, 0);
  }
}

import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { EmbeddedPostgres } from '#libs/database';

const run = promisify(execFile);

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const API = join(CHECKOUT, 'dist/apps/api/src/main.js');
export const COMMAND_LINE = join(CHECKOUT, 'dist/apps/cli/src/main.js');

/** Cheap hashing and quiet logs; a port of the system's choice. */
const ENVIRONMENT = { PATH: process.env.PATH, PORT: '0', BCRYPT_COST: '4', LOG_LEVEL: 'warn' };

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** From the last signal sent, or else the start, to the end. */
  durationMs: number;
}

export interface RunningProcess {
  readonly process: ChildProcess;
  /** Everything it has printed so far, stdout and stderr. */
  output(): string;
  signal(signal: NodeJS.Signals): Promise<Ending>;
  readonly ended: Promise<Ending>;
}

export interface Service extends RunningProcess {
  readonly url: string;
}

export interface StartOptions extends Pick<SpawnOptions, 'uid' | 'gid' | 'detached'> {
  environment?: Record<string, string>;
}

export interface RunOptions extends StartOptions {
  /** Written to standard input, which is then closed. */
  input?: string;
}

/** A folder of its own for one test, and the Foretell processes that work in it. */
export class DataDir {
  private readonly children = new Set<ChildProcess>();

  /** `path` need not exist yet: Foretell makes it. All of `parent` is removed afterwards. */
  private constructor(
    readonly path: string,
    private readonly parent: string,
  ) {}

  static create(): DataDir {
    const parent = mkdtempSync(join(tmpdir(), 'foretell-acceptance-'));
    return new DataDir(join(parent, 'data'), parent);
  }

  /** A folder with the same contents and owners. */
  async copy(): Promise<DataDir> {
    const copy = DataDir.create();
    await run('cp', ['-a', this.path, copy.path]);
    return copy;
  }

  get postgresDir(): string {
    return join(this.path, 'postgres');
  }

  get postmasterPid(): number {
    return Number(readFileSync(join(this.postgresDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Starts the service and resolves once it listens. */
  async startService(options: StartOptions = {}): Promise<Service> {
    const service = this.spawnService(options);
    const url = await Promise.race([service.listening, service.ended]);
    if (typeof url === 'string') return Object.assign(service, { url });
    throw new Error(`The service ended with code ${url.code}:\n${service.output()}`);
  }

  /** Starts the service; `listening` resolves with its URL, if it gets that far. */
  spawnService(options: StartOptions = {}): RunningProcess & { listening: Promise<string> } {
    const service = this.spawn(process.execPath, [API], options, ['ignore', 'pipe', 'pipe', 'ipc']);
    const listening = new Promise<string>((resolve) =>
      service.process.once('message', (message) => resolve((message as { url: string }).url)),
    );
    return Object.assign(service, { listening });
  }

  /** Runs `foretell …` to its end. */
  foretell(args: string[], options: RunOptions = {}): Promise<Ending> {
    const { input, ...others } = options;
    const command = this.spawn(process.execPath, [COMMAND_LINE, ...args], others);
    command.process.stdin!.on('error', () => undefined).end(input);
    return command.ended;
  }

  /** Starts any program with the environment of these processes, and pipes to and from it. */
  spawn(
    program: string,
    args: string[],
    { environment, ...options }: StartOptions = {},
    stdio: SpawnOptions['stdio'] = ['pipe', 'pipe', 'pipe'],
  ): RunningProcess {
    const child = spawn(program, args, {
      cwd: CHECKOUT,
      env: { ...ENVIRONMENT, DATA_DIR: this.path, ...environment },
      stdio,
      ...options,
    });
    this.children.add(child);
    let since = performance.now();
    const text = { stdout: '', stderr: '', output: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]!.setEncoding('utf8').on('data', (chunk: string) => {
        text[stream] += chunk;
        text.output += chunk;
      });
    }
    const ended = new Promise<Ending>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.children.delete(child);
        const { stdout, stderr } = text;
        resolve({ code, signal, stdout, stderr, durationMs: performance.now() - since });
      });
    });
    return {
      process: child,
      output: () => text.output,
      ended,
      signal: (signal) => {
        since = performance.now();
        child.kill(signal);
        return ended;
      },
    };
  }

  /** Rows of one statement on the embedded database, which is started for it where it does not run. */
  async query<Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    const server = await EmbeddedPostgres.open({ dataDir: this.path, purpose: 'command' });
    const client = new pg.Client({ connectionString: server.url });
    try {
      await client.connect();
      return (await client.query(sql, values)).rows as Row[];
    } finally {
      await client.end();
      await server.close();
    }
  }

  /** Every process that works in this folder or was told of it, PostgreSQL's as well: `<pid> <command line>`. */
  async processes(): Promise<string[]> {
    if (process.platform === 'linux') return processesOnLinux(this.parent);
    const { stdout } = await run('ps', ['-A', '-o', 'pid=,command=']);
    return stdout.split('\n').filter((line) => line.includes(this.parent));
  }

  /** What of that is PostgreSQL. */
  async postgresProcesses(): Promise<string[]> {
    return (await this.processes()).filter((line) => /^\d+ \S*postgres\b/.test(line));
  }

  /** Ends, hard, whatever a failed test left running, and removes the folder. */
  async dispose(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    for (let round = 0; round < 50; round++) {
      const left = await this.processes();
      if (left.length === 0) break;
      for (const line of left) kill(Number.parseInt(line, 10));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    rmSync(this.parent, { recursive: true, force: true });
  }
}

/** Named by its arguments, its working folder (PostgreSQL), or its environment (Foretell itself). */
function processesOnLinux(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    const command = readable(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim());
    // A zombie has no command line any more: it has ended.
    if (!command) continue;
    const cwd = readable(() => readlinkSync(`/proc/${pid}/cwd`));
    const environment = readable(() => readFileSync(`/proc/${pid}/environ`, 'utf8'));
    if ([command, cwd, environment].some((trace) => trace?.includes(folder))) found.push(`${pid} ${command}`);
  }
  return found;
}

/** Undefined for a process that has ended meanwhile or belongs to somebody else. */
function readable(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

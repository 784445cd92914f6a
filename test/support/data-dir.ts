import { execFile, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { EmbeddedPostgres } from '#libs/database';
import { endProcessesIn, isPostgres, processesIn } from './run-folder.js';

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
      env: { ...ENVIRONMENT, TMPDIR: tmpdir(), DATA_DIR: this.path, ...environment },
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
    return processesIn(this.parent);
  }

  /** What of that is PostgreSQL. */
  async postgresProcesses(): Promise<string[]> {
    return (await this.processes()).filter(isPostgres);
  }

  /** Ends, hard, whatever a failed test left running, and removes the folder. */
  async dispose(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    await endProcessesIn(this.parent);
    rmSync(this.parent, { recursive: true, force: true });
  }
}

import { execFile, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedPostgres } from '#libs/database';
import { CHECKOUT, COMMAND_LINE, spawnService, startProcess, untilListening } from './foretell-process.js';
import { withClient } from './postgres-client.js';
import { endProcessesIn, isPostgres, processesIn } from './run-folder.js';

const run = promisify(execFile);

export { CHECKOUT, COMMAND_LINE };

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** From the last signal sent, or else the start, to the end. */
  durationMs: number;
}

export type RunningProcess = ReturnType<typeof startProcess>;
export type Service = Awaited<ReturnType<typeof untilListening>>;

export interface StartOptions extends Pick<SpawnOptions, 'uid' | 'gid' | 'detached'> {
  environment?: Record<string, string>;
}

export interface RunOptions extends StartOptions {
  /** Written to standard input, which is then closed. */
  input?: string;
}

/** A folder of its own for one test, and the Foretell processes that work in it. */
export class DataDir {
  private readonly children = new Set<RunningProcess>();

  /** `path` need not exist yet: Foretell creates it. All of `parent` is removed afterwards. */
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
  startService(options?: StartOptions): Promise<Service> {
    return untilListening(this.spawnService(options));
  }

  /** Starts the service; `listening` resolves with its URL, if it gets that far. */
  spawnService(options?: StartOptions): ReturnType<typeof spawnService> {
    return this.started(spawnService(this.here(options)));
  }

  /** Runs `foretell …` to its end. */
  foretell(args: string[], { input, ...options }: RunOptions = {}): Promise<Ending> {
    const command = this.spawnForetell(args, options);
    command.process.stdin!.on('error', () => undefined).end(input);
    return command.ended;
  }

  /** Starts `foretell …`, whose standard input can be written later as well. */
  spawnForetell(args: string[], options?: StartOptions): RunningProcess {
    return this.spawn(process.execPath, [COMMAND_LINE, ...args], options);
  }

  /** Starts any program with the environment of these processes, and pipes to and from it. */
  spawn(program: string, args: string[], options?: StartOptions): RunningProcess {
    return this.started(startProcess(program, args, this.here(options)));
  }

  private here({ environment, ...options }: StartOptions = {}): StartOptions {
    return { ...options, environment: { DATA_DIR: this.path, ...environment } };
  }

  private started<Started extends RunningProcess>(child: Started): Started {
    this.children.add(child);
    child.process.once('close', () => this.children.delete(child));
    return child;
  }

  /** Rows of one statement on the embedded database, which is started if it is not running. */
  async query<Row extends object = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]> {
    const server = await EmbeddedPostgres.open({ dataDir: this.path, purpose: 'command' });
    const result = withClient(server.url, (client) => client.query(sql, values));
    return (await result.finally(() => server.close())).rows as Row[];
  }

  /** Every process that works in this folder or refers to it, including PostgreSQL's: `<pid> <command line>`. */
  async processes(): Promise<string[]> {
    return processesIn(this.parent);
  }

  /** Those of them that are PostgreSQL. */
  async postgresProcesses(): Promise<string[]> {
    return (await this.processes()).filter(isPostgres);
  }

  /** Kills whatever a failed test left running, and removes the folder. */
  async dispose(): Promise<void> {
    for (const child of this.children) child.process.kill('SIGKILL');
    await endProcessesIn(this.parent);
    rmSync(this.parent, { recursive: true, force: true });
  }
}

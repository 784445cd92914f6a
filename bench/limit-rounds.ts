import { bareCommit, bareOnnx, RecordLimit } from './limits.js';
import { progress, Rounds } from './run.js';

export type Limits = ReturnType<LimitRounds['figures']>;

const ROWS_PER_RUN = [1, 32];

/** The limits are measured in each round, beside the variants. */
export class LimitRounds {
  private readonly commits = new Rounds<{ ms: number }, []>();
  private readonly onnx = new Rounds<{ rowsPerRun: number; perSecond: number }, [number]>();
  private readonly runs = new Rounds<{ connections: number; rowsPerCommit: number; perSecond: number }>();
  private readonly ways = new Map<string, string>();
  private limit?: RecordLimit;

  constructor(
    private readonly databaseUrl: string,
    private readonly seconds: number,
  ) {}

  /** As many rows in each commit as the recorder has just had. */
  async record(connections: number, mean: number): Promise<void> {
    this.limit ??= await RecordLimit.open(this.databaseUrl);
    const rowsPerCommit = Math.max(1, Math.round(mean));
    const measure = async (way: string, run: Promise<number>) => {
      const perSecond = await run;
      this.ways.set(`${connections} ${way}`, way);
      this.runs.add({ connections, rowsPerCommit, perSecond }, `${connections} ${way}`);
      progress(`  ${way}, ${rowsPerCommit} rows per commit: ${Math.round(perSecond)} rows/s`);
    };
    const seconds = this.seconds / 2;
    await measure("the recorder's statement in a loop", this.limit.loop(rowsPerCommit, seconds));
    if (this.limit.hasPgbench) await measure('pgbench', this.limit.pgbench(rowsPerCommit, seconds));
  }

  async others(): Promise<void> {
    this.commits.add({ ms: await bareCommit(this.databaseUrl, this.seconds < 2 ? 300 : 2000) });
    for (const rowsPerRun of ROWS_PER_RUN) {
      const perSecond = await bareOnnx(rowsPerRun, Math.min(1, this.seconds / 2));
      this.onnx.add({ rowsPerRun, perSecond }, rowsPerRun);
    }
  }

  figures() {
    return {
      /** p50, in ms. */
      bareCommitMs: this.commits.median()!.ms,
      /** Rows a second in one thread. */
      onnx: ROWS_PER_RUN.map((rowsPerRun) => this.onnx.median(rowsPerRun)!),
      /** Rows a second for each way to write the record, with as many rows per commit as the recorder had. */
      record: [...this.ways].map(([key, way]) => ({ way, ...this.runs.median(key)! })),
    };
  }
}

import { bareCommit, bareOnnx, RecordLimit } from './limits.js';
import { median } from './rounds.js';

/** Rows a second of one way to write the record, with as many rows in each commit as the recorder had. */
export interface RecordFigures {
  connections: number;
  way: string;
  rowsPerCommit: number;
  perSecond: number;
}

export interface Limits {
  /** p50, in ms. */
  bareCommitMs: number;
  record: RecordFigures[];
  /** Rows a second in one thread. */
  onnx: { rowsPerRun: number; perSecond: number }[];
}

/** The limits take their turn in each round, beside the variants. */
export class LimitRounds {
  private readonly commits: number[] = [];
  private readonly onnx = new Map<number, number[]>([1, 32].map((rows) => [rows, []]));
  private readonly runs: RecordFigures[] = [];
  private limit?: RecordLimit;

  constructor(
    private readonly databaseUrl: string,
    private readonly seconds: number,
    private readonly progress: (text: string) => void,
  ) {}

  /** As many rows in each commit as the recorder had there just now. */
  async record(connections: number, mean: number): Promise<void> {
    this.limit ??= await RecordLimit.open(this.databaseUrl);
    const rowsPerCommit = Math.max(1, Math.round(mean));
    const measure = async (way: string, run: Promise<number>) => {
      const perSecond = await run;
      this.runs.push({ connections, way, rowsPerCommit, perSecond });
      this.progress(`  ${way}, ${rowsPerCommit} rows per commit: ${Math.round(perSecond)} rows/s`);
    };
    const seconds = this.seconds / 2;
    await measure("the recorder's statement in a loop", this.limit.loop(rowsPerCommit, seconds));
    if (this.limit.hasPgbench) await measure('pgbench', this.limit.pgbench(rowsPerCommit, seconds));
  }

  async others(): Promise<void> {
    this.commits.push(await bareCommit(this.databaseUrl, this.seconds < 2 ? 300 : 2000));
    for (const [rows, runs] of this.onnx) runs.push(await bareOnnx(rows, Math.min(1, this.seconds / 2)));
  }

  figures(): Limits {
    const kinds = new Map(this.runs.map((run) => [`${run.connections} ${run.way}`, run]));
    return {
      bareCommitMs: median(this.commits),
      onnx: [...this.onnx].map(([rowsPerRun, runs]) => ({ rowsPerRun, perSecond: median(runs) })),
      record: [...kinds.values()].map(({ connections, way }) => {
        const runs = this.runs.filter((run) => run.connections === connections && run.way === way);
        return {
          connections,
          way,
          rowsPerCommit: median(runs.map(({ rowsPerCommit }) => rowsPerCommit)),
          perSecond: median(runs.map(({ perSecond }) => perSecond)),
        };
      }),
    };
  }
}

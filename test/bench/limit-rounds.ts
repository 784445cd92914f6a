import { bareCommit, bareOnnx, RecordStatement } from './limits.js';
import type { Limits } from './report.js';
import { median } from './rounds.js';

/** The limits take their turn in each round as well. */
export class LimitRounds {
  private readonly commits: number[] = [];
  private readonly onnx = new Map<number, number[]>([1, 32].map((rows) => [rows, []]));
  private readonly statements = new Map<number, { rowsPerCommit: number; perSecond: number }[]>();
  private record?: RecordStatement;

  constructor(
    private readonly databaseUrl: string,
    private readonly seconds: number,
    private readonly progress: (text: string) => void,
  ) {}

  /** As many rows in each commit as the recorder had there just now. */
  async statement(connections: number, mean: number): Promise<void> {
    this.record ??= await RecordStatement.read(this.databaseUrl);
    const rowsPerCommit = Math.max(1, Math.round(mean));
    const perSecond = await this.record.run(rowsPerCommit, this.seconds);
    const runs = [...(this.statements.get(connections) ?? []), { rowsPerCommit, perSecond }];
    this.statements.set(connections, runs);
    this.progress(
      `  ${this.record.program}, ${rowsPerCommit} rows a commit: ${Math.round(perSecond)} rows/s`,
    );
  }

  async others(): Promise<void> {
    this.commits.push(await bareCommit(this.databaseUrl, this.seconds < 2 ? 300 : 2000));
    for (const [rows, runs] of this.onnx) runs.push(await bareOnnx(rows, Math.min(1, this.seconds / 2)));
  }

  figures(): Limits {
    return {
      bareCommitMs: median(this.commits),
      onnx: [...this.onnx].map(([rowsPerRun, runs]) => ({ rowsPerRun, perSecond: median(runs) })),
      statement: {
        program: this.record?.program ?? '',
        of: [...this.statements].map(([connections, runs]) => ({
          connections,
          rowsPerCommit: median(runs.map(({ rowsPerCommit }) => rowsPerCommit)),
          perSecond: median(runs.map(({ perSecond }) => perSecond)),
        })),
      },
    };
  }
}

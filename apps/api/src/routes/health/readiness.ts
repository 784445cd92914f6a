import { Injectable } from '@nestjs/common';
import { poolOf } from '#libs/database';
import { ServedModels } from '#libs/models';
import pTimeout from 'p-timeout';
import { DataSource } from 'typeorm';
import { Draining } from '../../server/draining.js';

const DATABASE_TIMEOUT_MS = 1_000;
/** How long the database's last answer is reused for other callers. */
const KEPT_MS = 200;

export type Check = 'ok' | 'failed';

/** Whether this process can answer predictions. */
@Injectable()
export class Readiness {
  private latest?: { answeredAt: number; check: Promise<Check> };

  constructor(
    private readonly dataSource: DataSource,
    private readonly models: ServedModels,
    private readonly draining: Draining,
  ) {}

  /** Whether it can, and is not about to stop: if not, a proxy sends it no more requests. */
  async isReady(): Promise<boolean> {
    return !this.draining.isDraining && isReady(await this.check());
  }

  async check(): Promise<Record<'database' | 'model', Check>> {
    return { database: await this.checkDatabase(), model: this.models.default ? 'ok' : 'failed' };
  }

  /** One check for all who ask at about the same time: anyone may, and a silent database delays each by a second. */
  private checkDatabase(): Promise<Check> {
    const now = performance.now();
    if (!this.latest || now - this.latest.answeredAt > KEPT_MS) {
      const entry = { answeredAt: Infinity, check: this.askDatabase() };
      void entry.check.finally(() => (entry.answeredAt = performance.now()));
      this.latest = entry;
    }
    return this.latest.check;
  }

  private async askDatabase(): Promise<Check> {
    const question = { text: 'SELECT 1', query_timeout: DATABASE_TIMEOUT_MS };
    const answer = poolOf(this.dataSource)
      .query(question)
      .then(
        () => 'ok' as const,
        () => 'failed' as const,
      );
    return pTimeout(answer, { milliseconds: DATABASE_TIMEOUT_MS, fallback: () => 'failed' as const });
  }
}

export function isReady(checks: Record<string, Check>): boolean {
  return Object.values(checks).every((check) => check === 'ok');
}

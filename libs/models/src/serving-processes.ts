import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, Raw, type Repository } from 'typeorm';
import { AliasHistory } from './alias-history.js';
import type { ModelAlias } from './model-alias.entity.js';
import { ServingProcess } from './serving-process.entity.js';

/** A process that has not reported for this long has ended. */
const ALIVE_SECONDS = 5;
/** It should take two seconds; a model that loads slowly may take longer. */
const FOLLOW_LIMIT_MS = 15_000;
const FOLLOW_POLL_MS = 50;

type Row = Pick<ModelAlias, 'id' | 'name' | 'alias' | 'version'>;

/** What the processes on this database report that they serve. */
@Injectable()
export class ServingProcesses {
  private readonly processes: Repository<ServingProcess>;

  constructor(
    dataSource: DataSource,
    private readonly aliases: AliasHistory,
  ) {
    this.processes = dataSource.getRepository(ServingProcess);
  }

  /** Reports what a process serves, and that it is alive. */
  async report(process: Pick<ServingProcess, 'id' | 'host' | 'pid' | 'serving'>): Promise<void> {
    await this.processes
      .createQueryBuilder()
      .insert()
      .values({ ...process, seenDatetime: () => 'now()' })
      .orUpdate(['serving', 'seen_datetime'], ['id'])
      .execute();
  }

  async forget(processId: string): Promise<void> {
    await this.processes.delete({ id: processId });
  }

  alive(): Promise<ServingProcess[]> {
    return this.processes.find({
      where: { seenDatetime: Raw((seen) => `${seen} > now() - interval '${ALIVE_SECONDS} seconds'`) },
      order: { host: 'ASC', pid: 'ASC' },
    });
  }

  /**
   * Waits until every process follows this row and serves its version, or one of them reports why it cannot, or the row
   * is replaced, or it takes too long. What a process reports about the previous row says nothing about this one.
   * @returns who follows it and who does not, as `host:pid`, and if one cannot, which and why
   */
  async follow(row: Row) {
    const until = performance.now() + FOLLOW_LIMIT_MS;
    for (;;) {
      const found = await this.lookAt(row);
      if (found.failure !== undefined) return found;
      const isDone = found.behind.length === 0 || !(await this.aliases.stands(row.id));
      if (isDone || performance.now() > until) return found;
      await sleep(FOLLOW_POLL_MS);
    }
  }

  private async lookAt({ id, name, alias, version }: Row) {
    const isTakenAway = version === null;
    const reports = (await this.alive()).map(({ host, pid, serving }) => ({
      process: `${host}:${pid}`,
      served: serving.find((each) =>
        isTakenAway ? each.name === name && each.alias === alias : each.aliasId === id,
      ),
    }));
    const behind = reports.filter(({ served }) => (isTakenAway ? served : served?.version !== version));
    const refused = isTakenAway ? undefined : reports.find(({ served }) => served?.failure);
    return {
      followed: reports.length - behind.length,
      behind: behind.map(({ process }) => process),
      failure: refused && `${refused.process}: ${refused.served!.failure!.reason}`,
    };
  }
}

import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, Not, type EntityManager, type Repository } from 'typeorm';
import { ModelAlias } from './model-alias.entity.js';
import type { ModelVersion } from './model-version.entity.js';

/** Who asks for a change, as it is recorded: a user of ours, or someone unknown; and by which way. */
export interface Origin {
  userId?: number;
  /** `api`, or the command line with the account it runs as. */
  from: string;
}

/** What an alias should stand for; no version removes it. */
export type Wanted = Pick<ModelAlias, 'name' | 'alias' | 'version'> &
  Partial<Pick<ModelAlias, 'percent' | 'restoredId'>>;

/** What an alias stands for now, and with which content. */
export type Assignment = Pick<ModelAlias, 'id' | 'name' | 'alias' | 'percent'> &
  Pick<ModelVersion, 'version' | 'contentSha256' | 'checkedBy'>;

/** What aliases stand for and stood for. Nothing is deleted: a row is replaced by the next. */
@Injectable()
export class AliasHistory {
  private readonly aliases: Repository<ModelAlias>;

  constructor(private readonly dataSource: DataSource) {
    this.aliases = dataSource.getRepository(ModelAlias);
  }

  /** The history of every model, newest first. */
  all(): Promise<ModelAlias[]> {
    return this.aliases.find({ order: { id: 'DESC' } });
  }

  /** What every alias stands for now. */
  current(): Promise<Assignment[]> {
    return this.dataSource.query<Assignment[]>(
      `SELECT model_aliases.id, name, alias, version, percent, content_sha256 AS "contentSha256",
              checked_by AS "checkedBy"
       FROM model_aliases JOIN model_versions USING (name, version)
       WHERE replaced_datetime IS NULL ORDER BY model_aliases.id`,
    );
  }

  /** The current row of an alias that stands for a version. */
  standing(name: string, alias: string): Promise<ModelAlias | null> {
    return this.aliases.findOneBy({ name, alias, replacedDatetime: IsNull(), version: Not(IsNull()) });
  }

  stands(id: string): Promise<boolean> {
    return this.aliases.existsBy({ id, replacedDatetime: IsNull() });
  }

  /**
   * @param over only if this row is still current; null: only if there is none
   * @returns the row that is now current, and the one before it
   */
  add(
    { name, alias, version, percent = null, restoredId = null }: Wanted,
    origin: Origin,
    over?: string | null,
  ): Promise<{ id: string; previous: ModelAlias | null }> {
    return this.dataSource.transaction(async (manager: EntityManager) => {
      // Two at the same time would replace the same row. Rows are locked, not a number that anyone can guess: users who
      // may only read, such as analysts, can block no one.
      await manager.query(`SELECT FROM model_versions WHERE name = $1 ORDER BY version FOR NO KEY UPDATE`, [
        name,
      ]);
      const aliases = manager.getRepository(ModelAlias);
      const previous = await aliases.findOneBy({ name, alias, replacedDatetime: IsNull() });
      const isOther = over !== undefined && over !== (previous?.id ?? null);
      const isSame = previous?.version === version && previous.percent === percent;
      if (previous && (isOther || isSame)) return { id: previous.id, previous };
      if (previous) await aliases.update({ id: previous.id }, { replacedDatetime: () => 'now()' });
      const { identifiers } = await aliases.insert({
        name,
        alias,
        version,
        percent,
        restoredId,
        setBy: origin.userId ?? null,
        setFrom: origin.from,
      });
      return { id: identifiers[0]!.id as string, previous };
    });
  }
}

export function isCurrent({ replacedDatetime }: ModelAlias): boolean {
  return replacedDatetime === null;
}

/** The row that first stood for this, if rollbacks have gone back to it since. */
export function firstIdOf({ id, restoredId }: ModelAlias): string {
  return restoredId ?? id;
}

import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { CommitLog, KeptAnswers, RecordPartitions } from '#libs/audit';

const EVERY_MS = 3_600_000;

/** Maintains the months of the record: before the first prediction, and every hour. Any number of processes may. */
@Injectable()
export class RecordKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(RecordKeeper.name);
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly partitions: RecordPartitions,
    private readonly keptAnswers: KeptAnswers,
    private readonly commitLog: CommitLog,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.makeRoom();
    void this.tidyUp();
    this.timer = setInterval(() => void this.makeRoom().then(() => this.tidyUp()), EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async makeRoom(): Promise<void> {
    const made = await this.tried(() => this.partitions.create());
    if (made?.length) this.logger.log(`made ${made.join(', ')}`);
  }

  private async tidyUp(): Promise<void> {
    const closed = await this.tried(() => this.partitions.close());
    if (closed?.length) this.logger.log(`checked ${closed.join(', ')}`);
    const dropped = await this.tried(() => this.partitions.dropExpired());
    if (dropped?.length) this.logger.log(`dropped ${dropped.join(', ')}`);
    await this.tried(() => this.keptAnswers.dropExpired());
    await this.tried(() => this.commitLog.endLeases());
  }

  /** Failures are tried again in an hour: months are made well ahead, and nothing waits for the removal of old ones. */
  private async tried<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.logger.error(`housekeeping of the record: ${(error as Error).message}`);
      return undefined;
    }
  }
}

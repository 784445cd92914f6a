import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { RecordPartitions } from '#libs/audit';

const EVERY_MS = 3_600_000;

/** Sees to the months of the record: before the first prediction, and every hour. Any number of processes may. */
@Injectable()
export class RecordKeeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(RecordKeeper.name);
  private timer?: NodeJS.Timeout;

  constructor(@Inject(RecordPartitions) private readonly partitions: RecordPartitions) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.keep('create');
    void this.keep('dropExpired');
    this.timer = setInterval(async () => {
      await this.keep('create');
      await this.keep('dropExpired');
    }, EVERY_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** What fails is tried again in an hour: three months are made ahead, and nobody waits for what is to go. */
  private async keep(what: 'create' | 'dropExpired'): Promise<void> {
    try {
      const names = await this.partitions[what]();
      if (names.length > 0) this.logger.log(`${what === 'create' ? 'made' : 'dropped'} ${names.join(', ')}`);
    } catch (error) {
      this.logger.error(`partitions of the record: ${(error as Error).message}`);
    }
  }
}

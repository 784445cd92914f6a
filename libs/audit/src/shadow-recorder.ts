import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { MicroBatcher } from '#libs/micro-batching';
import { Counter } from '#libs/observability';
import { DataSource } from 'typeorm';
import { LossLog } from './loss-log.js';
import type { PredictionRecord } from './prediction-record.js';
import { RecordPartitions } from './record-partitions.js';

/** What a candidate would have answered, as it is recorded; `requestId` is the row in `requests`. */
type ShadowRecord = { requestId: string } & Pick<
  PredictionRecord,
  'modelVersion' | 'statusCode' | 'output' | 'durationMs'
>;

const INSERT = `
  INSERT INTO shadow_responses (request_id, model_version, status_code, output, duration_ms)
  SELECT * FROM json_to_recordset($1) AS record (
    request_id bigint, model_version text, status_code smallint, output jsonb, duration_ms real)`;

const MAX_BATCH_RECORDS = 500;
const MAX_QUEUED_RECORDS = 10_000;
const LOST_LOG_EVERY_MS = 10_000;

/** Records what candidates answer. No caller waits for it; what cannot be written is counted and logged. */
@Injectable()
export class ShadowRecorder implements OnApplicationShutdown {
  /** Answers of candidates that could not be written. */
  readonly lost = new Counter();
  private readonly logger = new Logger(ShadowRecorder.name);
  private readonly batcher: MicroBatcher<ShadowRecord, void>;
  private readonly losses = new LossLog(this.lost, LOST_LOG_EVERY_MS, (soFar, reason) =>
    this.logger.warn(`answers of candidates were not recorded (${soFar} so far): ${reason}`),
  );

  constructor(
    private readonly dataSource: DataSource,
    private readonly partitions: RecordPartitions,
  ) {
    this.batcher = new MicroBatcher({
      run: (records) => this.insert(records),
      maxBatch: MAX_BATCH_RECORDS,
      maxQueued: MAX_QUEUED_RECORDS,
    });
  }

  record(record: ShadowRecord): void {
    this.batcher.add(record).catch((error: Error) => {
      this.lost.add();
      this.losses.add(error);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.batcher.idle();
    this.losses.end();
  }

  private async insert(records: readonly ShadowRecord[]): Promise<void[]> {
    const rows = records.map(
      ({ requestId, modelVersion, statusCode, output, durationMs }) =>
        `{"request_id":${requestId},"model_version":${JSON.stringify(modelVersion)},"status_code":${statusCode},` +
        `"output":${output},"duration_ms":${durationMs.toFixed(3)}}`,
    );
    await this.partitions.withRoom(() => this.dataSource.query(INSERT, [`[${rows.join(',')}]`]));
    return records.map(() => undefined);
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { Recorder, ShadowRecorder } from '#libs/audit';
import { BatchFigures } from '#libs/batches';
import { CONFIG, type Config } from '#libs/config';
import type { Model } from '#libs/inference';
import { ServedModels } from '#libs/models';
import { Metrics, textOf, type Reading, type Snapshot } from '#libs/observability';
import { CallFigures, type VersionCalls } from '#libs/predictions';
import { TokensService } from '#libs/tokens';
import { Readiness } from '../health/readiness.js';
import { AuthenticationFigures } from '../../guards/auth.guard.js';
import { RequestDurations } from '../../server/request-durations.js';
import { VERSION } from '../../version.js';

/** Injection token. */
export const COLLECT_SNAPSHOTS = Symbol('CollectSnapshots');

/** What all processes of this service measured, `own` being this one's part: to be added up. */
export type CollectSnapshots = (own: () => Promise<Snapshot>) => Promise<readonly Snapshot[]>;

/** The names of everything that this process measures; docs/metrics.md explains them to readers. */
@Injectable()
export class ServiceMetrics {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(COLLECT_SNAPSHOTS) private readonly collect: CollectSnapshots,
    private readonly metrics: Metrics,
    private readonly readiness: Readiness,
    private readonly models: ServedModels,
    private readonly batches: BatchFigures,
    requests: RequestDurations,
    authentication: AuthenticationFigures,
    tokens: TokensService,
    recorder: Recorder,
    shadows: ShadowRecorder,
    calls: CallFigures,
  ) {
    this.addProcess();
    metrics.histogram(
      'foretell_http_request_duration_seconds',
      'Time from the first byte of a request to the last byte of its answer, by route (its pattern), method and status.',
      requests.histograms,
    );
    metrics.counter(
      'foretell_http_unreadable_requests_total',
      'Requests refused before they had a route, by status: not HTTP, or an invalid URL.',
      requests.unreadable,
    );
    metrics.counter(
      'foretell_http_requests_shed_total',
      'Requests refused at the door with 503, because the service was overloaded.',
      requests.shed,
    );
    metrics.counter(
      'foretell_authentication_failures_total',
      'Requests answered with 401 because of their token, by reason.',
      authentication.failures,
    );
    metrics.counter(
      'foretell_login_failures_total',
      'Failed requests for a token, by reason.',
      tokens.loginFailures,
    );
    this.addModels();
    this.addCalls(calls);
    this.addRecord(recorder, shadows);
    this.addBatches();
  }

  /** What this process measures. */
  snapshot(): Promise<Snapshot> {
    return this.metrics.snapshot();
  }

  /** What all processes measure: to be added up. */
  snapshots(): Promise<readonly Snapshot[]> {
    return this.collect(() => this.snapshot());
  }

  /** The same, in the format that Prometheus reads. */
  async text(): Promise<string> {
    return textOf(await this.snapshots());
  }

  private addProcess(): void {
    const { metrics } = this;
    metrics.gauge(
      'foretell_info',
      'Always 1; the version of Foretell is a label.',
      () => [[{ version: VERSION }, 1]],
      'max',
    );
    metrics.gauge('foretell_processes', 'Processes that answer requests.', () => 1);
    metrics.gauge(
      'foretell_ready_processes',
      'Processes that can answer predictions: the database answers, the default model is loaded, and they are not stopping.',
      async () => ((await this.readiness.isReady()) ? 1 : 0),
    );
  }

  private addModels(): void {
    const { metrics, models } = this;
    const { seconds, rows, failures } = models.runs;
    metrics.gauge(
      'foretell_model_info',
      'Always 1; a version that answers, with the alias that it answers for.',
      () =>
        models.answering.map(({ model: { name, version }, alias, isDefault }) => [
          { model: name, version, alias, default: String(isDefault) },
          1,
        ]),
      'max',
    );
    const ofEach = (read: (model: Model) => number): Reading =>
      models.all.map((model) => [{ model: model.name, version: model.version }, read(model)]);
    metrics.gauge('foretell_model_queue_rows', 'Rows waiting for their model.', () =>
      ofEach(({ queued }) => queued),
    );
    metrics.gauge(
      'foretell_model_queue_limit_rows',
      'Rows that may wait for a model; requests beyond that get 503.',
      () => ofEach(({ maxQueued }) => maxQueued),
    );
    metrics.histogram(
      'foretell_inference_duration_seconds',
      'Duration of a run of a model, regardless of its number of rows.',
      seconds,
    );
    metrics.histogram('foretell_inference_batch_rows', 'Rows that shared a run of a model.', rows);
    metrics.counter('foretell_inference_failures_total', 'Runs of a model that failed.', failures);
  }

  private addCalls({ versions }: CallFigures): void {
    const { metrics } = this;
    const ofEach = (read: (calls: VersionCalls) => Record<string, number>, label?: string): Reading =>
      [...versions].flatMap(([[model, version], calls]) =>
        Object.entries(read(calls)).map(
          ([value, number]) =>
            [{ model: model!, version: version!, ...(label && { [label]: value }) }, number] as const,
        ),
      );
    metrics.counter('foretell_model_calls_total', 'Calls, by result.', () =>
      ofEach(({ answered, refused }) => ({ answered: answered.count, refused: refused.count }), 'result'),
    );
    metrics.counter(
      'foretell_model_call_seconds_total',
      'Total time of calls, including their records, by result.',
      () =>
        ofEach(
          ({ answered, refused }) => ({ answered: answered.ms / 1000, refused: refused.ms / 1000 }),
          'result',
        ),
    );
    metrics.counter(
      'foretell_model_phase_seconds_total',
      'Total time of answered calls by phase; the rest is their record.',
      () =>
        ofEach(
          ({ phases: { coerceMs, queueMs, inferMs, writeMs } }) => ({
            coerce: coerceMs / 1000,
            queue: queueMs / 1000,
            infer: inferMs / 1000,
            write: writeMs / 1000,
          }),
          'phase',
        ),
    );
    metrics.counter('foretell_model_answered_rows_total', 'Rows of answered calls.', () =>
      ofEach(({ rows }) => ({ rows })),
    );
    metrics.gauge(
      'foretell_model_last_answer_timestamp_seconds',
      'When a call was last answered, in seconds since 1970; 0 if never.',
      () => ofEach(({ lastAnsweredAt }) => ({ at: lastAnsweredAt / 1000 })),
      'max',
    );
  }

  private addRecord(recorder: Recorder, shadows: ShadowRecorder): void {
    const { metrics } = this;
    const { seconds, records, failures, lost } = recorder.figures;
    metrics.gauge('foretell_record_queue_records', 'Records waiting for a commit.', () => recorder.queued);
    metrics.gauge(
      'foretell_record_queue_limit_records',
      'Records that may wait; predictions beyond that get 503, or leave unrecorded in async mode.',
      () => this.config.auditQueueRows,
    );
    metrics.histogram(
      'foretell_record_commit_duration_seconds',
      'Duration of the statements that write records, including their commit.',
      seconds,
    );
    metrics.histogram('foretell_record_commit_records', 'Records that shared a commit.', records);
    metrics.counter(
      'foretell_record_commit_failures_total',
      'Statements that wrote no record, by reason: the database was unavailable, or refused the contents of a record.',
      failures,
    );
    metrics.counter(
      'foretell_unrecorded_answers_total',
      'Answers whose record was lost after they had left, which happens only in async mode.',
      lost,
    );
    metrics.counter(
      'foretell_unrecorded_shadow_answers_total',
      'Answers of shadows, which no caller sees, whose record was lost.',
      shadows.lost,
    );
  }

  private addBatches(): void {
    const { metrics } = this;
    const count = () => this.batches.count();
    metrics.gauge(
      'foretell_batches',
      'Batches in the database, by state.',
      async () => (await count()).map(({ state, batches }) => [{ state }, batches]),
      'max',
    );
    const sum = async (of: 'rows' | 'errors'): Promise<Reading> => {
      const counts = await count();
      return counts.length === 0 ? [] : counts.reduce((total, each) => total + each[of], 0);
    };
    metrics.counter(
      'foretell_batch_rows_total',
      'Rows of batches that were processed.',
      () => sum('rows'),
      'max',
    );
    metrics.counter(
      'foretell_batch_row_errors_total',
      'Rows of batches that got an error instead of a prediction.',
      () => sum('errors'),
      'max',
    );
  }
}

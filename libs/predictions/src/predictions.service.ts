import { Injectable, Logger } from '@nestjs/common';
import { Recorder, RecordTrace, ShadowRecorder, type Idempotency } from '#libs/audit';
import { QueueFull } from '#libs/micro-batching';
import { Problem } from '#libs/errors';
import { ModelEnded, TimeLimitExceeded, TooManyRows, type InferenceCall, type Model } from '#libs/inference';
import { ServedModels } from '#libs/models';
import { traced, type Span } from '#libs/observability';
import { CallFigures, type Phases } from './call-figures.js';
import { ignoredIn, refuseBadValues } from './coerced-rows.js';
import type { Dialect, RequestHeaders } from './dialects/dialect.js';
import { IdempotentAnswers } from './idempotent-answers.js';
import type { PredictionCall } from './prediction-call.js';
import { recordedInput } from './recorded-input.js';

/** A body as JSON, or null and the reason if it could not be read. */
interface Parsed {
  input: unknown;
  problem?: Problem;
}

/** How a call ended: answered or refused. */
interface Outcome {
  /** Null if the question could not be read. */
  rowCount: number | null;
  ignoredColumns: readonly string[];
  statusCode: number;
  output: string;
  problem?: Problem;
  /** Undefined if it was refused. */
  phases?: Phases;
}

@Injectable()
export class PredictionsService {
  private readonly logger = new Logger(PredictionsService.name);

  constructor(
    private readonly models: ServedModels,
    private readonly recorder: Recorder,
    private readonly shadowRecorder: ShadowRecorder,
    private readonly idempotentAnswers: IdempotentAnswers,
    private readonly figures: CallFigures,
  ) {}

  /**
   * What surrounds every prediction: it is answered or refused, and either way recorded before the caller is told.
   * @returns the answer as JSON text. @throws Problem
   */
  predict(call: PredictionCall): Promise<string> {
    const { idempotency } = call;
    if (!idempotency) return this.predictAnew(call);
    return this.idempotentAnswers.answer(call, idempotency, (under) => this.predictAnew(call, under));
  }

  private async predictAnew(
    { actor, requestId, dialect, body, headers, model: named, trace }: PredictionCall,
    idempotency?: Idempotency,
  ): Promise<string> {
    const started = performance.now();
    if (this.recorder.isFullFor(actor.userId))
      throw Problem.overloaded('Too many predictions are waiting. Please try again.');
    const found = this.models.get(named, actor.userId);
    // Not awaited if it is loaded: every prediction passes here.
    const model = found instanceof Promise ? await found : found;
    trace?.set({ 'foretell.model': model.name, 'foretell.model_version': model.version });
    const { input, problem: unread } = this.parse(dialect, body, headers, model);
    const outcome = unread
      ? refusal(unread, dialect, requestId)
      : await this.answer(model, dialect, input, requestId, started, actor.userId, trace);
    const { rowCount, ignoredColumns, statusCode, output, problem, phases } = outcome;
    await this.recorder.record(
      {
        userId: actor.userId,
        requestUuid: requestId,
        model: model.name,
        modelVersion: model.version,
        dialect: dialect.name,
        input: recordedInput(dialect, input, model, { isAnswered: !problem, rowCount }),
        rowCount,
        ignoredColumns,
        statusCode,
        output,
        durationMs: performance.now() - started,
        idempotency: problem ? undefined : idempotency,
        trace: trace && new RecordTrace(trace),
      },
      rowCount !== null && this.models.shadowOf(model)
        ? (recordId) => this.askShadow(model, dialect, input, requestId, recordId)
        : undefined,
    );
    const calls = this.figures.of(model);
    const ms = performance.now() - started;
    if (phases) calls.answer(ms, rowCount!, phases);
    else calls.refuse(ms);
    if (problem) throw problem;
    return output;
  }

  private parse(dialect: Dialect, body: Buffer, headers: RequestHeaders, model: Model): Parsed {
    try {
      return { input: dialect.parse(body, headers, model) };
    } catch (error) {
      return { input: null, problem: this.toProblem(error) };
    }
  }

  /** Input → rows → predictions → answer; a refusal at any step is an outcome like another. */
  private async answer(
    model: Model,
    dialect: Dialect,
    input: unknown,
    requestId: string,
    started: number,
    owner: number | 'shadow',
    trace?: Span,
  ): Promise<Outcome> {
    let rowCount: number | null = null;
    let ignoredColumns: readonly string[] = [];
    try {
      const [question, rows] = traced(trace, 'coerce', () => {
        const question = dialect.read(input, model);
        rowCount = question.instances.length;
        const coerced = question.instances.map(model.coerce);
        ignoredColumns = ignoredIn(coerced);
        refuseBadValues(coerced, question);
        return [question, coerced.map(({ row }) => row)] as const;
      });
      const askedAt = performance.now();
      const call: InferenceCall = { owner };
      const predictions = await traced(
        trace,
        'infer',
        () => model.infer(rows, call),
        trace && { 'foretell.rows': rows.length },
      );
      const inferredAt = performance.now();
      const output = question.write(predictions, model, requestId);
      const { ranAt = inferredAt } = call;
      const phases = {
        coerceMs: askedAt - started,
        queueMs: ranAt - askedAt,
        inferMs: inferredAt - ranAt,
        writeMs: performance.now() - inferredAt,
      };
      return { rowCount, ignoredColumns, statusCode: 200, output, phases };
    } catch (error) {
      return { ...refusal(this.toProblem(error), dialect, requestId), rowCount, ignoredColumns };
    }
  }

  /**
   * What the candidate would have answered, asked once the served answer is on its way and recorded beside it. A
   * shadow that has too much to do is not asked: no caller waits for it.
   */
  private askShadow(
    served: Model,
    dialect: Dialect,
    input: unknown,
    requestId: string,
    recordId: string,
  ): void {
    setImmediate(async () => {
      // Looked up again: the model of a moment ago may have been replaced and released.
      const shadow = this.models.shadowOf(served);
      if (!shadow) return;
      const started = performance.now();
      const { statusCode, output } = await this.answer(shadow, dialect, input, requestId, started, 'shadow');
      const durationMs = performance.now() - started;
      if (statusCode >= 500) return;
      this.shadowRecorder.record({
        requestId: recordId,
        modelVersion: shadow.version,
        statusCode,
        output,
        durationMs,
      });
    });
  }

  private toProblem(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof QueueFull)
      return Problem.overloaded('Too many rows wait for this model. Please try again.');
    if (error instanceof ModelEnded)
      return Problem.overloaded('The model has ended and is started again. Please try again.');
    if (error instanceof TooManyRows) return Problem.badRequest(`${error.message} Send fewer instances.`);
    if (error instanceof TimeLimitExceeded) return new Problem('prediction-timeout', error.message);
    this.logger.error(error);
    return new Problem('internal-error', 'The prediction failed for a reason of ours. It is in our log.', {
      cause: error,
    });
  }
}

function refusal(problem: Problem, dialect: Dialect, requestId: string): Outcome {
  const output = dialect.problems.write(problem, requestId);
  return { rowCount: null, ignoredColumns: [], statusCode: problem.status, output, problem };
}

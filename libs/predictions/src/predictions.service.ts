import { Inject, Injectable, Logger } from '@nestjs/common';
import { Recorder, ShadowRecorder } from '#libs/audit';
import { QueueFull } from '#libs/batching';
import { Problem, type Actor } from '#libs/errors';
import { TimeLimitExceeded, TooManyRows, type Coerced, type Model } from '#libs/inference';
import { ServedModels, type ModelReference } from '#libs/models';
import type { Dialect, Question } from './dialects/dialect.js';
import { parseJsonBody } from './json-body.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it came. */
  body: Buffer;
  /** The one to ask; the default model where none is named. */
  model?: ModelReference;
}

const MAX_ERRORS = 100;

/** What a body says, as far as it could be read. */
type Reading =
  | { input: unknown; question: Question; problem?: undefined }
  | { input: unknown; question?: undefined; problem: Problem };

/** What a call came to, answered or refused. */
interface Outcome {
  ignoredColumns: readonly string[];
  statusCode: number;
  output: string;
  problem?: Problem;
}

@Injectable()
export class PredictionsService {
  private readonly logger = new Logger(PredictionsService.name);

  constructor(
    @Inject(ServedModels) private readonly models: ServedModels,
    @Inject(Recorder) private readonly recorder: Recorder,
    @Inject(ShadowRecorder) private readonly shadowRecorder: ShadowRecorder,
  ) {}

  /**
   * What surrounds every prediction: it is answered or refused, and either way recorded before anyone is told.
   * @returns the answer as JSON text. @throws Problem
   */
  async predict({ actor, requestId, dialect, body, model: named }: PredictionCall): Promise<string> {
    const started = performance.now();
    if (this.recorder.isFull) throw Problem.overloaded('Too many predictions are waiting. Please try again.');
    const found = this.models.get(named, actor.userId);
    // Not awaited where it is loaded: this is on the way of every prediction.
    const model = found instanceof Promise ? await found : found;
    const { input, question, problem: unread } = this.read(dialect, body);
    const outcome = question
      ? await this.answer(model, dialect, question, requestId)
      : this.refusal(unread, requestId);
    const { ignoredColumns, statusCode, output, problem } = outcome;
    await this.recorder.record(
      {
        userId: actor.userId,
        requestUuid: requestId,
        model: model.name,
        modelVersion: model.version,
        dialect: dialect.name,
        input: JSON.stringify(input),
        ignoredColumns,
        statusCode,
        output,
        durationMs: performance.now() - started,
      },
      question &&
        this.models.shadowOf(model) &&
        ((recordId) => this.askShadow(model, dialect, question, requestId, recordId)),
    );
    if (problem) throw problem;
    return output;
  }

  private read(dialect: Dialect, body: Buffer): Reading {
    let input: unknown = null;
    try {
      input = parseJsonBody(body);
      return { input, question: dialect.read(input) };
    } catch (error) {
      return { input, problem: this.toProblem(error) };
    }
  }

  /** Instances → rows → predictions → answer; a refusal at any step is an outcome like another. */
  private async answer(
    model: Model,
    dialect: Dialect,
    question: Question,
    requestId: string,
  ): Promise<Outcome> {
    const coerced = question.instances.map(model.coerce);
    const ignoredColumns = ignoredIn(coerced);
    try {
      refuseBadColumns(coerced, question);
      const predictions = await model.infer(coerced.map(({ row }) => row));
      return { ignoredColumns, statusCode: 200, output: dialect.write(predictions, model, requestId) };
    } catch (error) {
      return this.refusal(this.toProblem(error), requestId, ignoredColumns);
    }
  }

  private refusal(problem: Problem, requestId: string, ignoredColumns: readonly string[] = []): Outcome {
    const output = JSON.stringify(problem.toBody(requestId));
    return { ignoredColumns, statusCode: problem.status, output, problem };
  }

  /**
   * What the candidate would have answered, asked once the served answer is on its way and recorded beside it. One
   * that has too much to do is not asked: nobody waits for it.
   */
  private askShadow(
    served: Model,
    dialect: Dialect,
    question: Question,
    requestId: string,
    recordId: string,
  ): void {
    setImmediate(async () => {
      // Looked up now: the one of a moment ago may be replaced and released.
      const shadow = this.models.shadowOf(served);
      if (!shadow) return;
      const started = performance.now();
      const { statusCode, output } = await this.answer(shadow, dialect, question, requestId);
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
    if (error instanceof TooManyRows) return Problem.badRequest(`${error.message} Send fewer instances.`);
    if (error instanceof TimeLimitExceeded) return new Problem('prediction-timeout', error.message);
    this.logger.error(error);
    return new Problem('internal-error', 'The prediction failed for a reason of ours. It is in our log.', {
      cause: error,
    });
  }
}

function ignoredIn(coerced: readonly Coerced[]): readonly string[] {
  if (coerced.length === 1) return coerced[0]!.ignoredColumns;
  return [...new Set(coerced.flatMap(({ ignoredColumns }) => ignoredColumns))];
}

/** @throws Problem `bad-request` naming every bad column of every instance, as far as that is any help. */
function refuseBadColumns(coerced: readonly Coerced[], question: Question): void {
  if (coerced.every(({ errors }) => errors.length === 0)) return;
  const errors = coerced.flatMap((each, index) =>
    each.errors.map(({ detail, pointer }) => ({
      detail,
      pointer: `#${question.locate(index)}${pointer.slice(1)}`,
    })),
  );
  const columns = errors.length === 1 ? '1 column is' : `${errors.length} columns are`;
  const more = errors.length > MAX_ERRORS ? ` The first ${MAX_ERRORS} are named.` : '';
  throw Problem.badRequest(`${columns} missing or not convertible.${more}`, errors.slice(0, MAX_ERRORS));
}

import { Inject, Injectable, Logger } from '@nestjs/common';
import { Recorder } from '#libs/audit';
import { QueueFull } from '#libs/batching';
import { Problem, type Actor } from '#libs/errors';
import { TimeLimitExceeded, type Coerced, type Model } from '#libs/inference';
import { ModelRegistry } from '#libs/models';
import type { Dialect, Question } from './dialect.js';
import { parseJsonBody } from './json-body.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it came. */
  body: Buffer;
  /** The one to ask; the default model where none is named. */
  model?: { name: string; version?: string };
}

const MAX_ERRORS = 100;

/** What a call came to, answered or refused, as far as it got. */
interface Outcome {
  input: unknown;
  ignoredColumns: readonly string[];
  statusCode: number;
  output: string;
  problem?: Problem;
}

@Injectable()
export class PredictionsService {
  private readonly logger = new Logger(PredictionsService.name);

  constructor(
    @Inject(ModelRegistry) private readonly models: ModelRegistry,
    @Inject(Recorder) private readonly recorder: Recorder,
  ) {}

  /**
   * What surrounds every prediction: it is answered or refused, and either way recorded before anyone is told.
   * @returns the answer as JSON text. @throws Problem
   */
  async predict({ actor, requestId, dialect, body, model: named }: PredictionCall): Promise<string> {
    const started = performance.now();
    if (this.recorder.isFull) throw Problem.overloaded('Too many predictions are waiting. Please try again.');
    const model = named ? this.models.get(named.name, named.version) : this.models.default;
    const { input, ignoredColumns, statusCode, output, problem } = await this.answer(
      model,
      dialect,
      body,
      requestId,
    );
    await this.recorder.record({
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
    });
    if (problem) throw problem;
    return output;
  }

  /** Body → instances → rows → predictions → answer; a refusal at any step is an outcome like another. */
  private async answer(model: Model, dialect: Dialect, body: Buffer, requestId: string): Promise<Outcome> {
    let input: unknown = null;
    let ignoredColumns: readonly string[] = [];
    try {
      input = parseJsonBody(body);
      const question = dialect.read(input);
      const coerced = question.instances.map(model.coerce);
      ignoredColumns = ignoredIn(coerced);
      refuseBadColumns(coerced, question);
      const predictions = await model.infer(coerced.map(({ row }) => row));
      const output = dialect.write(predictions, model, requestId);
      return { input, ignoredColumns, statusCode: 200, output };
    } catch (error) {
      const problem = this.toProblem(error);
      const output = JSON.stringify(problem.toBody(requestId));
      return { input, ignoredColumns, statusCode: problem.status, output, problem };
    }
  }

  private toProblem(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof QueueFull)
      return Problem.overloaded('Too many rows wait for this model. Please try again.');
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

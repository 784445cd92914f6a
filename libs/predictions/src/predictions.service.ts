import { Inject, Injectable, Logger } from '@nestjs/common';
import { Recorder } from '#libs/audit';
import { QueueFull } from '#libs/batching';
import { Problem, type Actor } from '#libs/errors';
import type { Model } from '#libs/inference';
import { ModelRegistry } from '#libs/models';
import type { Dialect } from './dialect.js';
import { parseJsonBody } from './json-body.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it came. */
  body: Buffer;
}

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
  async predict({ actor, requestId, dialect, body }: PredictionCall): Promise<string> {
    const started = performance.now();
    if (this.recorder.isFull) throw Problem.overloaded('Too many predictions are waiting. Please try again.');
    const model = this.models.default;
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

  /** Body → features → row → prediction → answer; a refusal at any step is an outcome like another. */
  private async answer(model: Model, dialect: Dialect, body: Buffer, requestId: string): Promise<Outcome> {
    let input: unknown = null;
    let ignoredColumns: readonly string[] = [];
    try {
      input = parseJsonBody(body);
      const { features } = dialect.read(input);
      const coerced = model.coerce(features);
      ignoredColumns = coerced.ignoredColumns;
      if (coerced.errors.length > 0) {
        const columns = coerced.errors.length === 1 ? '1 column is' : `${coerced.errors.length} columns are`;
        throw Problem.badRequest(`${columns} missing or not convertible.`, coerced.errors);
      }
      const output = dialect.write(await model.infer(coerced.row), model);
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
    this.logger.error(error);
    return new Problem('internal-error', 'The prediction failed for a reason of ours. It is in our log.', {
      cause: error,
    });
  }
}

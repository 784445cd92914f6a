import { Inject, Injectable, Logger } from '@nestjs/common';
import { createHash } from 'node:crypto';
import {
  AlreadyAnswered,
  KeptAnswers,
  Recorder,
  RecordTrace,
  ShadowRecorder,
  type Idempotency,
} from '#libs/audit';
import { QueueFull } from '#libs/micro-batching';
import { isUnavailable } from '#libs/database';
import { Problem, type Actor } from '#libs/errors';
import {
  ModelEnded,
  TimeLimitExceeded,
  TooManyRows,
  type Coerced,
  type InferenceCall,
  type Model,
} from '#libs/inference';
import { ServedModels, type ModelReference } from '#libs/models';
import { traced, type Span } from '#libs/observability';
import { CallFigures, type Phases } from './call-figures.js';
import {
  columnOf,
  MAX_BAD_VALUES,
  shortened,
  type BadValue,
  type Dialect,
  type Question,
  type RequestHeaders,
} from './dialects/dialect.js';
import { LookAlikes } from './look-alikes.js';
import { recordedInput } from './recorded-input.js';

export interface PredictionCall {
  actor: Actor;
  /** The caller's `X-Request-Id`, or ours. */
  requestId: string;
  dialect: Dialect;
  /** The body as it came. */
  body: Buffer;
  /** Those that it came with. */
  headers: RequestHeaders;
  /** The one to ask; the default model where none is named. */
  model?: ModelReference;
  idempotency?: {
    /** The caller's `Idempotency-Key`. */
    key: string;
    /** Hears that the answer is the one that was given before. */
    onReplay(): void;
  };
  /** The request's span, if it is traced. */
  trace?: Span;
}

/** What a body says; null, and why, where it could not be read. */
interface Parsed {
  input: unknown;
  problem?: Problem;
}

/** What a call came to, answered or refused. */
interface Outcome {
  /** Null where the question could not be read. */
  rowCount: number | null;
  ignoredColumns: readonly string[];
  statusCode: number;
  output: string;
  problem?: Problem;
  /** Where it was answered. */
  phases?: Phases;
}

@Injectable()
export class PredictionsService {
  private readonly logger = new Logger(PredictionsService.name);

  constructor(
    @Inject(ServedModels) private readonly models: ServedModels,
    @Inject(Recorder) private readonly recorder: Recorder,
    @Inject(ShadowRecorder) private readonly shadowRecorder: ShadowRecorder,
    @Inject(KeptAnswers) private readonly keptAnswers: KeptAnswers,
    @Inject(CallFigures) private readonly figures: CallFigures,
  ) {}

  /**
   * What surrounds every prediction: it is answered or refused, and either way recorded before anyone is told.
   * @returns the answer as JSON text. @throws Problem
   */
  predict(call: PredictionCall): Promise<string> {
    return call.idempotency ? this.predictOnce(call, call.idempotency) : this.predictAnew(call);
  }

  /**
   * The first answer under a key is kept with its record, and given again to anyone who repeats the question under it.
   * A refusal is not kept: what was wrong may be well now. Two that come at once are both computed; the record takes one.
   */
  private async predictOnce(
    call: PredictionCall,
    { key, onReplay }: NonNullable<PredictionCall['idempotency']>,
  ): Promise<string> {
    const idempotency = { key, fingerprint: fingerprintOf(call) };
    const replay = async () => {
      const kept = await this.findKept(call.actor.userId, idempotency);
      if (kept !== undefined) onReplay();
      return kept;
    };
    const before = await replay();
    if (before !== undefined) return before;
    try {
      return await this.predictAnew(call, idempotency);
    } catch (error) {
      const meanwhile = error instanceof AlreadyAnswered ? await replay() : undefined;
      if (meanwhile === undefined) throw error;
      return meanwhile;
    }
  }

  /** @throws Problem `idempotency-key-reused` where the key was another question's */
  private async findKept(userId: number, { key, fingerprint }: Idempotency): Promise<string | undefined> {
    const kept = await this.keptAnswers.find(userId, key).catch((error: unknown) => {
      throw isUnavailable(error) ? Problem.databaseUnavailable(error) : error;
    });
    if (kept && kept.fingerprint !== fingerprint) {
      throw new Problem(
        'idempotency-key-reused',
        'A different question was answered under this Idempotency-Key. Send a new key with a new question.',
      );
    }
    return kept?.answer;
  }

  private async predictAnew(
    { actor, requestId, dialect, body, headers, model: named, trace }: PredictionCall,
    idempotency?: Idempotency,
  ): Promise<string> {
    const started = performance.now();
    if (this.recorder.isFullFor(actor.userId))
      throw Problem.overloaded('Too many predictions are waiting. Please try again.');
    const found = this.models.get(named, actor.userId);
    // Not awaited where it is loaded: this is on the way of every prediction.
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
   * What the candidate would have answered, asked once the served answer is on its way and recorded beside it. One
   * that has too much to do is not asked: nobody waits for it.
   */
  private askShadow(
    served: Model,
    dialect: Dialect,
    input: unknown,
    requestId: string,
    recordId: string,
  ): void {
    setImmediate(async () => {
      // Looked up now: the one of a moment ago may be replaced and released.
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

/** A hash of everything that the caller chose and the answer depends on. */
function fingerprintOf({ dialect, model, headers, body }: PredictionCall): string {
  const asked = JSON.stringify([dialect.name, model ?? null, headers['content-type'] ?? null]);
  return createHash('sha256').update(asked).update(body).digest('hex');
}

/** So many are named; more are of no help to anybody, and names are a caller's. */
const MAX_IGNORED_NAMED = 100;

/** Each once; `…` at the end where there are more, or of a name where it goes on. */
function ignoredIn(coerced: readonly Coerced[]): readonly string[] {
  const names = new Set<string>();
  for (const { ignoredColumns } of coerced) {
    for (const name of ignoredColumns) {
      const told = shortened(name);
      if (names.size === MAX_IGNORED_NAMED && !names.has(told)) return [...names, '…'];
      names.add(told);
    }
  }
  return [...names];
}

/** Instances that lack columns mostly lack the same: so many are looked into for columns that look like them. */
const MAX_LOOKED_INTO = 10;

/** @throws Problem as the dialect says it */
function refuseBadValues(coerced: readonly Coerced[], question: Question): void {
  const bad: BadValue[] = [];
  let refused = 0;
  for (let instance = 0; instance < coerced.length && bad.length < MAX_BAD_VALUES; instance++) {
    const { errors, ignoredColumns } = coerced[instance]!;
    if (errors.length === 0) continue;
    const features = question.instances[instance]!;
    const unknown = refused++ < MAX_LOOKED_INTO ? new LookAlikes(ignoredColumns) : undefined;
    for (const error of errors) {
      const column = columnOf(error);
      const lookAlike = Object.hasOwn(features, column) ? undefined : unknown?.tell(column);
      bad.push({ ...error, instance, lookAlike });
    }
  }
  if (bad.length > 0) throw question.refuse(bad);
}

function refusal(problem: Problem, dialect: Dialect, requestId: string): Outcome {
  const output = dialect.problems.write(problem, requestId);
  return { rowCount: null, ignoredColumns: [], statusCode: problem.status, output, problem };
}
